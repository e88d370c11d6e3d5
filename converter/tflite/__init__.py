"""The one reader and writer of ``.tflite`` files. Nothing here starts TensorFlow.

``schema``       TFLite's tables as Python classes
``parsing``      bytes that anybody may have made become tables, or are refused
``flatbuffer``   a file's operators, tensors and binary kernels, read and changed
``writing``      tables become bytes
``bits``         signs, packed 32 to a word
``kinds``        the kind of work that an operator does
``metadata``     what a file says about itself, in ``tables`` of another schema
``interpreter``  runs a file with LCE
"""
