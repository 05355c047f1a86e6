"""`backprop new …`: files to begin with, written where the commands find them."""
