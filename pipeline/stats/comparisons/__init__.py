"""What differs: values of an axis, axes, and two sweeps, with tests whose unit is the start."""
