"""What comes in: Keras models read from files, their binary layers, and what is known of them."""
