"""From a Keras model to the file that LCE's compiler makes of it; ``README.md`` beside this file follows one kernel.

In the order of the work: `preflight` refuses what has no exact file; `trace` makes a `converter.graph.Graph`, which
`converter.passes` rewrite; `freeze` makes TensorFlow's graph of it by `emit` and `lower`; `stand_ins` and `names`
prepare that for LCE; `lce` makes LCE's one call. `kernels` packs kernels, `_tensorflow` holds TensorFlow's private API.
"""
