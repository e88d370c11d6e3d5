"""Classifies images with a Keras model or a converted file."""
