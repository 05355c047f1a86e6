"""Maps: two axes, and each pixel a training run."""
