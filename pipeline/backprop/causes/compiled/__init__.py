"""The search for endings and shapes of curves as compiled code, with the bits of NumPy's, which is the definition.

A file here is one of `causes` or `causes/matrices` of the same name, written for one vector of runs, step by step in the same
order; `routine` is what they are written in, and `look` puts them together and calls them. All goes in loops over patterns,
parameters and rows of matrices, so that the code of a large network is no longer than that of a small one.
"""
