"""The columns of results that are no axes of the sweep."""

RUN_COLUMNS = ("status", "epochs", "final_error", "gradient_norm", "run_id", "key", "digest", "horizon")
