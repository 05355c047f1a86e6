"""Pictures of maps: colours, layers, labelled figures, pixel-exact files."""
