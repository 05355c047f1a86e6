"""The science: networks, backpropagation, and the engines that train them. Knows NumPy alone."""
