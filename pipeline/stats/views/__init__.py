"""Further views of a sweep: what its curves and its failures say about other thresholds, budgets and restarts."""
