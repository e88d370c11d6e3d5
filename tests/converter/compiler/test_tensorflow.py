"""TensorFlow's private API still does what the compiler needs of it."""

import tensorflow as tf

from converter.compiler._tensorflow import freeze_variables, inferred_attributes, mark


def test_variables_become_constants_and_marks_stay():
    variable = tf.Variable([1.0, 2.0])

    @tf.function(input_signature=[tf.TensorSpec((2,))], autograph=False)
    def scaled(x):
        result = x * variable
        mark(result, "_mark", 7)
        return result

    frozen = freeze_variables(scaled)
    assert [tensor.dtype for tensor in frozen.inputs] == [tf.float32]
    operations = frozen.graph.get_operations()
    assert "ReadVariableOp" not in {operation.type for operation in operations}
    (marked,) = (operation for operation in operations if "_mark" in operation.node_def.attr)
    assert (marked.type, marked.node_def.attr["_mark"].i) == ("Mul", 7)


def test_control_flow_stays_in_functions():
    @tf.function(input_signature=[tf.TensorSpec(())], autograph=False)
    def loop(x):
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, 2 * y), (0, x))[1]

    types = {operation.type for operation in freeze_variables(loop).graph.get_operations()}
    assert types & {"While", "StatelessWhile"}


def test_types_follow_from_inputs():
    assert inferred_attributes("Mul") == {"T"}
    assert "Tpaddings" in inferred_attributes("Pad")
    assert "padding" not in inferred_attributes("Conv2D")
