"""What Keras does not hand to callbacks: the ``fit`` that runs.

Looking for ``fit`` on the call stack is the last resort. A term must be gone after ``fit`` however that ends, and
nothing simpler sees every end: ``on_train_end`` is not called when a step, a callback or Ctrl-C raises; a context
manager around ``fit`` is one more thing that users must write and may forget; and a model with another ``fit`` is no
longer an ordinary Keras model. Only the data handler's generator ends with ``fit`` in any case, and only the frame of
``fit`` has it. What is relied on in tf-keras is stated in ``tests/bnext_keras/callbacks/test_running_fit.py``.
"""

import sys

import tensorflow as tf


def variables_of_running_fit(model: tf.keras.Model) -> dict[str, object]:
    """The local variables of the ``fit`` of ``model`` that this is called in, among them ``data_handler``.

    Raises:
        RuntimeError: if it is not called from ``model.fit``.
    """
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "fit":
            variables = frame.f_locals
            if variables.get("self") is model and hasattr(variables.get("data_handler"), "enumerate_epochs"):
                return variables
        frame = frame.f_back
    raise RuntimeError(f"{model.name}: this callback works in model.fit only, not in a training loop of one's own")
