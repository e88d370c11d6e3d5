"""What became of a model, for the terminal and as one web page."""
