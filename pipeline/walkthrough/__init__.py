"""One iteration of backpropagation by hand: its numbers, as text and as pictures."""
