"""Eigenvalues and eigenvectors of symmetric matrices, of many runs at once, with the same bits anywhere."""
