"""The programs that run models on a device: what they are, where they come from, which model goes to which.

``engine``            this project's own engine: its program, and plans of models
``programs``          ``lce_benchmark_model``, TensorFlow Lite's ``benchmark_model``, LCE's interpreter on this machine
``downloads``         LCE's release files, fetched once and checked ever after
``model_file``        what a ``.tflite`` file needs, and whether it is whole
``choice``            the tool for a model on a device
``host_interpreter``  a program of its own: LCE's interpreter, speaking ``lce_benchmark_model``'s language
"""
