"""From a Keras model to LCE's file: `preflight`, `trace`, `lower`, `emit`, `stand_ins`, and LCE's one call in `lce`."""
