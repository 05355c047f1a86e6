"""Maps: sweeps over two continuous axes, drawn as pictures. A pixel is an ordinary trial."""
