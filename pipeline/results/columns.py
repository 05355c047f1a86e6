"""The columns of results that are no axes of the sweep."""

SCALARS = ("place", "status", "epochs", "final_error", "gradient_norm", "key", "digest")  # of one value, of every run
RUN_COLUMNS = ("status", "epochs", "final_error", "gradient_norm", "run_id", "key", "digest", "horizon")
HELD_OUT = ("test_error", "train_accuracy", "test_accuracy")  # there where patterns are held out
CAUSE_NUMBERS = ("cause_number", "cause_goal", "rho", "lambda_min", "k_star")  # of `backprop.causes.of_batch.Causes`
CAUSES = ("cause", *CAUSE_NUMBERS, "cause_digest")  # of runs that did not converge; none of these with causes=none
NO_AXES = (*RUN_COLUMNS, *HELD_OUT, *CAUSES)
