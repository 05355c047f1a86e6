"""The explorer: a page on which one moves over a map while its runs are trained, served by this machine to itself."""
