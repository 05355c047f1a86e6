"""One iteration of backpropagation by hand, and how a run ended: their numbers, as text and as pictures."""
