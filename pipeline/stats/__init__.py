"""Statistics of convergence: arrays and tables in, tables out. Knows NumPy, SciPy and pandas alone."""
