"""The proof that a file computes what its Keras model computes."""
