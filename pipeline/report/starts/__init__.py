"""The starts of a sweep: properties of their weights, K* there, and what is said of what goes with convergence."""
