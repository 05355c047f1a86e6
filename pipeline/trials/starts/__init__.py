"""Where the weights of a trial start: chosen, drawn, and changed by name."""
