"""Kernels of binary convolutions, packed and unpacked."""

from bnext_keras.layers import BinaryConv2D

import numpy as np

from converter.compiler.kernels import PackedKernel, float_kernels, pack_kernels
from converter.graph import BinaryCall
from converter.tflite.bits import pack_signs


def test_kernels_are_kept_by_the_bit():
    kernel = np.where(np.random.default_rng(0).random((3, 2, 33, 5)) < 0.5, -1.0, 1.0) * [1, 2, 3, 0.5, 0.25]
    packed = PackedKernel.of(kernel.astype(np.float32))
    assert packed.shape == (3, 2, 33, 5)
    np.testing.assert_array_equal(packed.signs() * packed.scale, kernel)
    turned = packed.turned(np.array([True, False, False, False, True]))
    np.testing.assert_array_equal(turned, pack_signs(kernel * [-1, 1, 1, 1, -1]))


def test_each_group_has_a_kernel_and_flipped_channels_are_negated():
    layer = BinaryConv2D(6, 3, groups=2)
    layer.build((None, 8, 8, 4))
    flips = np.array([1.0, -1.0, -1.0, 1.0])
    own, flipped = (float_kernels(BinaryCall(layer, 0, flips=value)) for value in (None, flips))
    assert [kernel.shape for kernel in own] == [(3, 3, 2, 3)] * 2
    np.testing.assert_array_equal(np.concatenate(own, axis=-1), np.sign(layer.kernel.numpy()))
    np.testing.assert_array_equal(flipped[0], own[0] * [[1], [-1]])
    np.testing.assert_array_equal(flipped[1], own[1] * [[-1], [1]])


def test_calls_of_one_layer_share_their_kernels():
    layer = BinaryConv2D(4, 3)
    layer.build((None, 8, 8, 4))
    first, second, flipped = calls = [
        *(BinaryCall(layer, i) for i in range(2)),
        BinaryCall(layer, 2, flips=-np.ones(4)),
    ]
    kernels = pack_kernels(calls)
    assert kernels[first] is kernels[second]
    assert not kernels[first][0].equals(kernels[flipped][0])
