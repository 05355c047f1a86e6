"""MLflow: the only room that knows its calls. What is set here must be set before MLflow is imported."""

import logging
import os

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # 3 s a call: a sweep that is not recorded is kept
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
for name, value in SETTINGS.items():
    os.environ.setdefault(name, value)

for name in ("alembic", "mlflow"):
    logging.getLogger(name).setLevel(logging.WARNING)
for name in ("mlflow.store.db.utils", "urllib3.connectionpool"):  # what they log is raised, too
    logging.getLogger(name).setLevel(logging.CRITICAL)
