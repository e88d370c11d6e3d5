"""What the server of `forked` imports before it forks: all that is heavy, and nothing that computes."""

from bnext_keras.cli._tool import quiet_tensorflow, silenced

# As commands do, before TensorFlow is imported.
quiet_tensorflow()
with silenced():
    import bnext_keras.models  # noqa: F401

    import larq  # noqa: F401
    import larq_compute_engine  # noqa: F401
    import tensorflow  # noqa: F401

    import converter.conversion  # noqa: F401
