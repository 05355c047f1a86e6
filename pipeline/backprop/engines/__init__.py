"""The engines that train a batch, by name: the definition in NumPy, and those that equal it bit for bit."""
