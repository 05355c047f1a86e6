"""The pipeline that people write today, to compare with: Hydra's own sweeper, a plain NumPy loop, MLflow's fluent calls.

`python -m benchmarks.usual -m seed=range(4)` trains the worked example's network from random weights, a run a job.
"""

from pathlib import Path

import hydra
import mlflow
import numpy as np
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

CONFIG = {"learning_rate": 0.5, "seed": 0, "threshold": 1e-3, "max_epochs": 10_000}
ConfigStore.instance().store("usual", CONFIG)


def sigmoid(z: np.ndarray) -> np.ndarray:
    """The logistic function."""
    return 1.0 / (1.0 + np.exp(-z))


@hydra.main(version_base="1.3", config_path=None, config_name="usual")
def main(config: DictConfig) -> None:
    """One job: one run."""
    random = np.random.default_rng(config.seed)
    inputs, targets = np.array([0.05, 0.10]), np.array([0.01, 0.99])
    hidden_weights, output_weights = random.uniform(-1, 1, (2, 2, 2))
    hidden_bias, output_bias = random.uniform(-1, 1, 2)
    mlflow.set_tracking_uri(f"sqlite:///{HydraConfig.get().runtime.cwd}/usual.db")
    mlflow.set_experiment("usual")
    with mlflow.start_run():
        mlflow.log_params({key: config[key] for key in ("learning_rate", "seed", "threshold", "max_epochs")})
        for epoch in range(config.max_epochs + 1):
            hidden = sigmoid(hidden_weights @ inputs + hidden_bias)
            outputs = sigmoid(output_weights @ hidden + output_bias)
            error = 0.5 * np.sum((targets - outputs) ** 2)
            if epoch % 100 == 0:
                mlflow.log_metric("error", error, step=epoch)
            if error <= config.threshold or epoch == config.max_epochs:
                break
            delta = (outputs - targets) * outputs * (1.0 - outputs)
            hidden_delta = (output_weights.T @ delta) * hidden * (1.0 - hidden)
            output_weights -= config.learning_rate * np.outer(delta, hidden)
            hidden_weights -= config.learning_rate * np.outer(hidden_delta, inputs)
        mlflow.log_metrics({"epochs": epoch, "final_error": error})
        np.savez("weights.npz", hidden=hidden_weights, output=output_weights)
        mlflow.log_artifact("weights.npz")
        Path("weights.npz").unlink()


if __name__ == "__main__":
    main()
