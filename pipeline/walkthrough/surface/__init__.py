"""What a network with two inputs gives for every point of their plane, on the way of its training: pictures and a film."""
