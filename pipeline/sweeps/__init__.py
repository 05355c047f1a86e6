"""Many trials: the product of axes, checked, cut into chunks, trained, kept and recorded."""
