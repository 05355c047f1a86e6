"""A SQLite store beside its artifacts, read and written without MLflow."""
