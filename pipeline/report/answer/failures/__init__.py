"""What the answer says of runs that did not converge."""
