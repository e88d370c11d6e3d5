"""Every operator that the two pages used to know by tables of their own."""

import json

import pytest

from converter.tflite.kinds import Kind, kind_of
from converter.tflite.schema import BUILTIN_NAMES

NAMES = {
    Kind.BINARY_CONV: "LceBconv2d",
    Kind.BIT_PACKING: "LceQuantize LceDequantize LceBMaxPool2d",
    Kind.FLOAT_CONV: "CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV CONV_3D",
    Kind.DENSE: "FULLY_CONNECTED BATCH_MATMUL",
    Kind.ELEMENTWISE: "ABS ADD ADD_N CEIL COS DIV ELU EQUAL EXP FLOOR GELU GREATER GREATER_EQUAL HARD_SWISH LEAKY_RELU "
    "LESS LESS_EQUAL LOG LOGISTIC MAXIMUM MINIMUM MUL NEG POW PRELU RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 ROUND RSQRT "
    "SELECT SELECT_V2 SIGN SIN SOFTMAX SQRT SQUARE SQUARED_DIFFERENCE SUB TANH",
    Kind.POOLING: "AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD",
    Kind.DATA_MOVEMENT: "BATCH_TO_SPACE_ND BROADCAST_TO CONCATENATION DEPTH_TO_SPACE EXPAND_DIMS FILL GATHER GATHER_ND "
    "PACK PAD PADV2 MIRROR_PAD RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 SHAPE SLICE "
    "SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQUEEZE STRIDED_SLICE TILE TRANSPOSE UNPACK DEQUANTIZE QUANTIZE",
    Kind.OTHER: "CUSTOM IF WHILE",
}


@pytest.mark.parametrize(("kind", "names"), NAMES.items(), ids=str)
def test_names_of_graphs(kind, names):
    assert {name: kind_of(name) for name in names.split()} == dict.fromkeys(names.split(), kind)


def test_names_of_graphs_are_tflites():
    names = {name for names in NAMES.values() for name in names.split() if not name.startswith("Lce")}
    assert names <= set(BUILTIN_NAMES.values())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Convolution (NHWC, F32) IGEMM", Kind.FLOAT_CONV),
        ("Fully Connected (NC, PF32) GEMM", Kind.DENSE),
        ("Batch Matrix Multiply (NC, F32)", Kind.DENSE),
        ("Convert (NC, F32, QS8)", Kind.DATA_MOVEMENT),
        ("Max Pooling (NHWC, F32)", Kind.POOLING),
        ("Clamp (NC, F32)", Kind.ELEMENTWISE),
        ("TfLiteXNNPackDelegate", Kind.OTHER),
    ],
)
def test_names_of_xnnpack(name, kind):
    assert kind_of(name) is kind


def test_a_kind_is_its_name_in_texts_and_json():
    assert f"{Kind.BINARY_CONV}" == str(Kind.BINARY_CONV) == "binary convolution"
    assert json.dumps([Kind.DENSE]) == '["dense"]'
