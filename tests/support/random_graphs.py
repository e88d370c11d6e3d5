"""Random small graphs of the operators of converted networks, with whole numbers for weights.

A value is *exact* as long as all sums of it are of whole numbers below 2^24, times a power of two: float32 then holds
them whatever the order, and two engines must agree to the last bit. Signs are taken of exact values only, for a sign of
a rounded one may be either.
"""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from tflite_graphs import SAME, VALID, Graph, random_words, windows, words

#: Largest sum, in units of the smallest difference, that a value may have to be exact.
_EXACT = 2**23


@dataclass
class Known:
    """A tensor of the graph: its number and shape, and what is known of its elements.

    Attributes:
        tensor: Its number.
        shape: ``(height, width, channels)``.
        most: Bound of its elements' magnitude.
        grain: What all elements are multiples of; 0 if that is not known.
        signs: Whether it is of bit-packed signs.
    """

    tensor: int
    shape: tuple[int, int, int]
    most: float = 4.0
    grain: float = 1.0
    signs: bool = False

    @property
    def exact(self) -> bool:
        return self.grain > 0 and self.most / self.grain < _EXACT


@dataclass
class RandomGraph:
    """A file with an input for it.

    Attributes:
        content: The bytes of the file.
        image: Its input, whole numbers.
        exact: Of each output, whether it must be the same to the last bit.
        operators: What it has.
    """

    content: bytes
    image: np.ndarray
    exact: list[bool]
    operators: list[str]

    def __repr__(self):
        return f"<{self.image.shape} {' '.join(self.operators)}>"


@st.composite
def graphs(draw, steps=7):
    """Graphs of up to so many operators."""
    return _Maker(draw).make(draw(st.integers(1, steps)))


def _geometry(strides, dilations=None):
    names = {"strideH": strides[0], "strideW": strides[1]}
    return names | ({"dilationHFactor": dilations[0], "dilationWFactor": dilations[1]} if dilations else {})


class _Maker:
    def __init__(self, draw):
        self.draw, self.graph = draw, Graph()
        # Numbers that shape nothing come of a seed: Hypothesis is slow at thousands of draws, and has less to shrink.
        self.random = np.random.default_rng(draw(st.integers(0, 2**16)))
        self.operators = []
        shape = (draw(st.integers(1, 8)), draw(st.integers(1, 8)), self.channels())
        self.image = self.random.integers(-4, 5, (1, *shape)).astype(np.float32)
        self.image[self.random.random(self.image.shape) < 0.1] = -0.0
        self.values = [Known(self.graph.input((1, *shape)), shape)]
        self.all = []

    def make(self, steps):
        names = [name for name in dir(self) if name.startswith("make_")]
        for _ in range(steps):
            getattr(self, self.draw(st.sampled_from(names)))()
        outputs = [self.values[-1]]
        for known in self.all:
            if known not in outputs and self.draw(st.integers(0, 3)) == 0:
                outputs.append(known)
        content = self.graph.content(*(known.tensor for known in outputs))
        return RandomGraph(content, self.image, [known.exact for known in outputs], self.operators)

    # What operators draw.

    def channels(self):
        return self.draw(st.sampled_from([1, 3, 4, 7, 8, 20, 31, 32, 33, 40, 64, 96, 128]))

    def pick(self, signs=False, exact=False, map=False):
        """A value that there is; one of the last more likely."""
        fitting = [known for known in self.values if not exact or known.exact]
        fitting = [known for known in fitting if not map or known.shape[0] * known.shape[1] > 1] or fitting
        return fitting[-1 - min(self.draw(st.integers(0, 2)), len(fitting) - 1)]

    def whole(self, shape, most=2):
        return self.random.integers(-most, most + 1, shape).astype(np.float32)

    def window(self, shape, dilations=True):
        """Taps, strides, dilations, padding and the size of the result; None if it would have no place."""
        taps = [self.draw(st.integers(1, 3)) for _ in range(2)]
        strides = [self.draw(st.integers(1, 2)) for _ in range(2)]
        dilations = [self.draw(st.integers(1, 2)) if dilations and strides == [1, 1] else 1 for _ in range(2)]
        padding = self.draw(st.sampled_from([SAME, VALID]))
        size = [windows(*axis, padding) for axis in zip(shape[:2], taps, strides, dilations, strict=True)]
        return (taps, strides, dilations, padding, size) if min(size) > 0 else (taps, *self.unit(shape))

    def unit(self, shape):
        return [1, 1], [1, 1], SAME, list(shape[:2])

    def put(self, type, inputs, shape, most=0.0, grain=0.0, *, signs=False, full=None, **options):
        dims = (1, *shape[:2], words(shape[2])) if signs else (1, *shape)
        tensor = self.graph.add(type, inputs, full or dims, dtype="INT32" if signs else "FLOAT32", **options)
        known = Known(tensor, tuple(shape), most, grain, signs)
        self.operators.append(type)
        self.all.append(known)
        if not signs:
            self.values.append(known)
        return known

    # Operators.

    def make_conv(self):
        x = self.pick()
        taps, strides, dilations, padding, size = self.window(x.shape)
        divisors = [g for g in (1, 2, 4) if x.shape[2] % g == 0]
        groups = self.draw(st.sampled_from(divisors))
        filters = groups * self.draw(st.sampled_from([1, 3, 8, 10]))
        kernel = self.whole((filters, *taps, x.shape[2] // groups), 1)
        most = x.most * np.prod(kernel.shape[1:]) + 2
        inputs = [x.tensor, self.graph.constant(kernel), self.graph.constant(self.whole(filters))]
        activation = self.draw(st.integers(0, 3))
        names = {
            "strideH": strides[0],
            "strideW": strides[1],
            "dilationHFactor": dilations[0],
            "dilationWFactor": dilations[1],
        }
        options = {"padding": padding, "fusedActivationFunction": activation, **names}
        self.put("CONV_2D", inputs, (*size, filters), most, min(x.grain, 1.0), **options)

    def make_depthwise(self):
        x = self.pick()
        taps, strides, dilations, padding, size = self.window(x.shape)
        multiplier = self.draw(st.integers(1, 2))
        filters = x.shape[2] * multiplier
        inputs = [
            x.tensor,
            self.graph.constant(self.whole((1, *taps, filters))),
            self.graph.constant(self.whole(filters)),
        ]
        names = {
            "strideH": strides[0],
            "strideW": strides[1],
            "dilationHFactor": dilations[0],
            "dilationWFactor": dilations[1],
        }
        options = {"padding": padding, "depthMultiplier": multiplier, **names}
        self.put("DEPTHWISE_CONV_2D", inputs, (*size, filters), 2 * x.most * np.prod(taps) + 2, x.grain, **options)

    def make_binary_conv(self):
        """Quantization, perhaps pooling of signs or a convolution to signs between, and a convolution to floats."""
        x = self.pick(exact=True)
        if not x.exact:
            return
        groups = 2 if x.shape[2] == 64 and self.draw(st.booleans()) else 1
        x = self.put("LceQuantize", [x.tensor], x.shape, 1, 1, signs=True)
        if self.draw(st.integers(0, 3)) == 0:
            x = self.pool_signs(x)
        if groups == 1 and self.draw(st.integers(0, 3)) == 0:
            x = self.binary(x, signs=True)
        if self.draw(st.integers(0, 4)) == 0:
            self.put("LceDequantize", [x.tensor], x.shape, 1, 1)
        else:
            self.binary(x, groups)

    def binary(self, x, groups=1, signs=False):
        taps, strides, dilations, padding, size = self.window(x.shape)
        filters = self.draw(st.sampled_from([1, 5, 8, 32, 37, 64])) * groups
        kernel = random_words(self.random, (filters, *taps), x.shape[2] // groups)
        # With zeros at the border LCE's reference kernel takes even channels, and gives floats without activation.
        ones = signs or x.shape[2] // groups % 2 == 1 or self.draw(st.booleans())
        activation = self.draw(st.integers(0, 3)) if ones and not signs else 0
        options = {
            "channels_in": x.shape[2],
            "dilation_height_factor": dilations[0],
            "dilation_width_factor": dilations[1],
            "fused_activation_function": activation,
            "pad_values": int(ones),
            "padding": padding,
            "stride_height": strides[0],
            "stride_width": strides[1],
        }
        count = int(np.prod(taps)) * x.shape[2] // groups
        inputs = [x.tensor, self.graph.constant(kernel)]
        if signs:
            thresholds = self.random.integers(-1, count + 2, filters).astype(np.int32)
            inputs += [-1, -1, self.graph.constant(thresholds)]
            return self.put("LceBconv2d", inputs, (*size, filters), 1, 1, signs=True, **options)
        factors = self.random.choice(np.float32([-2, -1, 0.5, 1, 4]), filters)
        inputs += [self.graph.constant(factors), self.graph.constant(self.whole(filters, 9) / 2), -1]
        return self.put("LceBconv2d", inputs, (*size, filters), 4 * count + 5, 0.5, **options)

    def pool_signs(self, x):
        taps, strides, _, padding, size = self.window(x.shape, dilations=False)
        names = {
            "filter_height": taps[0],
            "filter_width": taps[1],
            "stride_height": strides[0],
            "stride_width": strides[1],
        }
        return self.put("LceBMaxPool2d", [x.tensor], (*size, x.shape[2]), 1, 1, signs=True, padding=padding, **names)

    def make_pool(self):
        x = self.pick()
        taps, strides, _, padding, size = self.window(x.shape, dilations=False)
        if x.shape[0] % 2 == x.shape[1] % 2 == 0 and self.draw(st.booleans()):
            taps, strides, size = [2, 2], [2, 2], [x.shape[0] // 2, x.shape[1] // 2]  # What maps do themselves.
        mean = self.draw(st.booleans())
        names = {
            "filterHeight": taps[0],
            "filterWidth": taps[1],
            "strideH": strides[0],
            "strideW": strides[1],
            "padding": padding,
        }
        grain = 0 if mean and taps != [1, 1] else x.grain
        type = "AVERAGE_POOL_2D" if mean else "MAX_POOL_2D"
        self.put(type, [x.tensor], (*size, x.shape[2]), x.most, grain, **names)

    def make_binary_operation(self):
        """An operation of two values: with a vector, a map, another value of that size, or itself."""
        x = self.pick()
        type = self.draw(st.sampled_from(["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"]))
        others = [known for known in self.values if known.shape == x.shape and known is not x]
        gates = [known for known in self.values if known.shape == (1, 1, x.shape[2]) and known is not x]
        which = self.draw(st.sampled_from(["vector", "map", "scalar", "value", "itself"]))
        if which == "value" and others + gates:
            y = self.draw(st.sampled_from(others + gates))
        elif which == "itself":
            y = x
        else:
            shape = {"map": (1, *x.shape), "scalar": ()}.get(which, x.shape[2:])
            y = Known(self.graph.constant(self.whole(shape)), x.shape, 2.0, 1.0)
        most, grain = {
            "ADD": (x.most + y.most, min(x.grain, y.grain)),
            "MUL": (x.most * y.most, x.grain * y.grain),
        }.get(type, (x.most + y.most, min(x.grain, y.grain)))
        inputs = [x.tensor, y.tensor]
        if self.draw(st.booleans()):
            inputs.reverse()
        bounded = type in ("ADD", "SUB", "MUL")
        options = {"fusedActivationFunction": self.draw(st.sampled_from([0, 0, 1, 3]))} if bounded else {}
        self.put(type, inputs, x.shape, max(most, 6.0), grain, **options)

    def make_activation(self):
        x = self.pick()
        type = self.draw(st.sampled_from(["RELU", "RELU6", "PRELU", "NEG", "ABS", "LOGISTIC", "HARD_SWISH", "TANH"]))
        exact = type in ("RELU", "RELU6", "PRELU", "NEG", "ABS")
        inputs = [x.tensor]
        if type == "PRELU":
            slopes = self.random.choice(np.float32([-1, 0, 0.25, 2]), (1, 1, x.shape[2]))
            inputs.append(self.graph.constant(slopes))
        most = {"PRELU": 2 * x.most, "LOGISTIC": 1.0, "TANH": 1.0}.get(type, x.most)
        self.put(type, inputs, x.shape, most, x.grain / 4 if type == "PRELU" else x.grain if exact else 0.0)

    def make_mean(self):
        x = self.pick(map=True)
        axes = self.graph.constant(np.int32([1, 2]))
        self.put("MEAN", [x.tensor, axes], (1, 1, x.shape[2]), x.most, 0.0, keepDims=True)

    def make_gate(self):
        """What a squeeze and expansion does: mean, dense layers, logistic function, product."""
        x = self.pick(map=True)
        axes, channels = self.graph.constant(np.int32([1, 2])), x.shape[2]
        mean = self.put("MEAN", [x.tensor, axes], (1, 1, channels), x.most, 0.0, full=(1, channels))
        kernel, bias = self.whole((channels, channels), 1) / 8, self.whole(channels)
        inputs = [mean.tensor, self.graph.constant(kernel), self.graph.constant(bias)]
        self.values.remove(mean)
        dense = self.put("FULLY_CONNECTED", inputs, (1, 1, channels), x.most * channels + 2, full=(1, channels))
        gate = self.put("LOGISTIC", [dense.tensor], (1, 1, channels), 1.0, full=(1, channels))
        shape = self.graph.constant(np.int32([1, 1, 1, channels]))
        map = self.put("RESHAPE", [gate.tensor, shape], (1, 1, channels), 1.0, newShape=[1, 1, 1, channels])
        self.values = [known for known in self.values if known not in (dense, gate)]
        self.put("MUL", [x.tensor, map.tensor], x.shape, x.most)

    def make_concat(self):
        x = self.pick()
        fitting = [known for known in self.values if known.shape[:2] == x.shape[:2]]
        parts = [x, *(self.draw(st.sampled_from(fitting)) for _ in range(self.draw(st.integers(1, 2))))]
        channels = sum(part.shape[2] for part in parts)
        most, grain = max(part.most for part in parts), min(part.grain for part in parts)
        self.put("CONCATENATION", [part.tensor for part in parts], (*x.shape[:2], channels), most, grain, axis=3)

    def make_slice(self):
        x = self.pick()
        begin = [0, *(self.draw(st.integers(0, size - 1)) for size in x.shape)]
        if self.draw(st.booleans()):
            begin[1:3] = [0, 0]
        size = [1, *(whole - first for whole, first in zip(x.shape, begin[1:], strict=True))]
        constants = [self.graph.constant(np.int32(numbers)) for numbers in (begin, size)]
        self.put("SLICE", [x.tensor, *constants], size[1:], x.most, x.grain)

    def make_strided_slice(self):
        x = self.pick()
        steps = [1, self.draw(st.integers(1, 2)), self.draw(st.integers(1, 2)), 1]
        constants = [self.graph.constant(np.int32(numbers)) for numbers in ([0] * 4, [1, *x.shape], steps)]
        size = [-(-whole // step) for whole, step in zip(x.shape, steps[1:], strict=True)]
        self.put("STRIDED_SLICE", [x.tensor, *constants], size, x.most, x.grain)

    def make_split(self):
        x = self.pick()
        count = next((n for n in (2, 3, 5) if x.shape[2] % n == 0), 1)
        shape = (*x.shape[:2], x.shape[2] // count)
        inputs = [self.graph.constant(np.int32(3)), x.tensor]
        tensors = self.graph.add("SPLIT", inputs, *[(1, *shape)] * count, numSplits=count)
        self.operators.append("SPLIT")
        for tensor in tensors if count > 1 else [tensors]:
            self.values.append(Known(tensor, shape, x.most, x.grain))
            self.all.append(self.values[-1])

    def make_pad(self):
        x = self.pick()
        pads = [(0, 0), *((self.draw(st.integers(0, 2)), self.draw(st.integers(0, 1))) for _ in range(3))]
        size = [whole + before + after for whole, (before, after) in zip(x.shape, pads[1:], strict=True)]
        self.put("PAD", [x.tensor, self.graph.constant(np.int32(pads))], size, x.most, x.grain)

    def make_shuffle(self):
        """Channels of two groups in turn: by moving elements, or by their numbers."""
        x = self.pick()
        height, width, channels = x.shape
        if channels % 2 == 0 and self.draw(st.booleans()):
            split, turned = (1, height, width, 2, channels // 2), (1, height, width, channels // 2, 2)
            shape = self.graph.constant(np.int32(split))
            y = self.graph.add("RESHAPE", [x.tensor, shape], split, newShape=list(split))
            y = self.graph.add("TRANSPOSE", [y, self.graph.constant(np.int32([0, 1, 2, 4, 3]))], turned)
            shape = self.graph.constant(np.int32([1, *x.shape]))
            self.put("RESHAPE", [y, shape], x.shape, x.most, x.grain, newShape=[1, *x.shape])
        else:
            order = self.random.permutation(channels).astype(np.int32)
            self.put("GATHER", [x.tensor, self.graph.constant(order)], x.shape, x.most, x.grain, axis=3)

    def make_blocks(self):
        x = self.pick()
        height, width, channels = x.shape
        if channels % 4 == 0:
            shape = (2 * height, 2 * width, channels // 4)
            self.put("DEPTH_TO_SPACE", [x.tensor], shape, x.most, x.grain, blockSize=2)
        elif height % 2 == width % 2 == 0:
            shape = (height // 2, width // 2, 4 * channels)
            self.put("SPACE_TO_DEPTH", [x.tensor], shape, x.most, x.grain, blockSize=2)

    def make_enlarged(self):
        x = self.pick()
        height, width, channels = x.shape
        if max(height, width) <= 16:
            size = (height * self.draw(st.integers(1, 3)), width * self.draw(st.integers(1, 2)))
            options = {"halfPixelCenters": self.draw(st.booleans())}
            inputs = [x.tensor, self.graph.constant(np.int32(size))]
            self.put("RESIZE_NEAREST_NEIGHBOR", inputs, (*size, channels), x.most, x.grain, **options)

    def make_transposed(self):
        x = self.pick()
        order = self.graph.constant(np.int32([0, 2, 1, 3]))
        self.put("TRANSPOSE", [x.tensor, order], (x.shape[1], x.shape[0], x.shape[2]), x.most, x.grain)

    def make_softmax(self):
        x = self.pick()
        self.put("SOFTMAX", [x.tensor], x.shape, 1.0, 0.0, beta=1.0)

    def make_dense(self):
        x = self.pick()
        size, filters = int(np.prod(x.shape)), self.draw(st.integers(1, 20))
        inputs = [x.tensor, *(self.graph.constant(self.whole(shape, 1)) for shape in ((filters, size), (filters,)))]
        shape = (1, 1, filters)
        flat = self.put("FULLY_CONNECTED", inputs, shape, x.most * size + 1, x.grain, full=(1, filters))
        self.values.remove(flat)
