"""What is compiled of the search for causes: each file is the file of the same name without `compiled`, with its bits.

One run a lane, in loops over patterns, parameters and rows of matrices: the code is as short for a large network as for a
small one.
"""
