"""The columns of results that are no axes of the sweep."""

RUN_COLUMNS = ("status", "epochs", "final_error", "gradient_norm", "run_id", "key", "digest", "horizon")
HELD_OUT = ("test_error", "train_accuracy", "test_accuracy")  # there where patterns are held out
NO_AXES = (*RUN_COLUMNS, *HELD_OUT)
