"""What smaller libraries do not document and the packages use: see docs/private-api.md."""

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf


def test_a_rule_finds_one_operator_by_its_output():
    quantizer = pytest.importorskip("ai_edge_quantizer.quantizer")
    from ai_edge_quantizer import qtyping

    layers = [tf.keras.layers.Dense(64, input_shape=(64,)), tf.keras.layers.Dense(64)]
    file = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Sequential(layers)).convert()
    interpreter = tf.lite.Interpreter(model_content=file)
    output = interpreter.get_output_details()[0]["name"]
    rules = quantizer.Quantizer(bytearray(file))
    rules.add_weight_only_config(f"^{output};$", qtyping.TFLOperationName.FULLY_CONNECTED, num_bits=8)
    small = bytes(rules.quantize().quantized_model)
    kinds = [
        detail["dtype"]
        for detail in tf.lite.Interpreter(model_content=small).get_tensor_details()
        if 64 in detail["shape"]
    ]
    assert kinds.count(np.int8) == 1, "the rule is for one of the two layers"


def test_arrays_are_written_by_one_method():
    from tensorflow.lite.python import schema_py_generated as schema

    written = []

    class Builder(flatbuffers.Builder):
        def CreateNumpyVector(self, x):
            written.append(x)
            return super().CreateNumpyVector(x)

    buffer = schema.BufferT()
    buffer.data = np.arange(4, dtype=np.uint8)
    builder = Builder(64)
    builder.Finish(buffer.Pack(builder))
    assert [array is buffer.data for array in written] == [True]
