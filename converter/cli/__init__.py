"""The commands that convert a model and run the result."""
