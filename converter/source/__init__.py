"""What comes in: Keras models read from files, and what their layers are to each other."""
