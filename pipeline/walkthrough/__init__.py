"""One iteration of backpropagation by hand: its numbers, told in text and drawn on a board."""
