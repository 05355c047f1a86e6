"""One iteration, or how a run ended, as a page: one file with formulas in MathML and the network drawn, step by step."""
