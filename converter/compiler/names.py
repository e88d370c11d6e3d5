"""Names that survive LCE's compiler.

LCE names a tensor of the file after the nodes that it comes from, joined and cut at 50 characters, so that no binary
convolution could be found again by its own name. Nodes therefore have names of a few characters while LCE compiles, and
the tensors get the nodes' own names afterwards.
"""

import itertools
import re

import tensorflow as tf

from converter.compiler.stand_ins import StandIn
from converter.tflite.flatbuffer import Flatbuffer


class ShortNames:
    """Short names for the nodes of a graph, and back.

    Args:
        graph_def: The graph.
        inputs: Names of the inputs, which are kept.
        outputs: Names of the outputs, which are kept.
        stand_ins: Its binary convolutions; nodes of one of these share a name.
    """

    def __init__(
        self, graph_def: tf.compat.v1.GraphDef, inputs: list[str], outputs: list[str], stand_ins: list[StandIn]
    ):
        self._stand_ins = stand_ins
        self._last = {output: _last_before(graph_def, output, stand_ins) for output in outputs}
        self._short = {node.name: f"n{i:x}_" for i, node in enumerate(graph_def.node)}
        self._short |= {name: name for name in (*inputs, *outputs)}
        self._long = {short: name for name, short in self._short.items()}
        for stand_in in stand_ins:
            self._short.update(dict.fromkeys(stand_in.nodes, self._short[stand_in.name]))

    def shorten(self, reference: str) -> str:
        """The short form of a node's name, or of a reference to it as nodes have for inputs: ``^name``, ``name:1``."""
        control, name, output = re.fullmatch(r"(\^?)([^:]*)(.*)", reference).groups()
        return control + self._short[name] + output

    def split(self, tensor_name: str) -> list[str]:
        """The nodes, by their own names, that a tensor of the file is named after."""
        # LCE tells equal names apart by numbers behind them.
        parts = (re.sub(r"(?<=_)\d*$", "", part) for part in tensor_name.split(";"))
        return [self._long[part] for part in parts if part in self._long]

    def restore(self, flatbuffer: Flatbuffer) -> None:
        """Names the tensors of a file after the nodes of the graph, results of binary convolutions after those."""
        convs = {stand_in.name for stand_in in self._stand_ins}
        results = {conv.name for conv in flatbuffer.binary_convs}
        names: dict[str, str] = {}
        for short in flatbuffer.names:
            nodes = self.split(short)
            if short in results:
                # What writes an output bears its name alone.
                binary = self._last.get(short) or [name for name in nodes if name in convs]
                nodes = binary if len(set(binary)) == 1 else nodes
            name = nodes[0] if nodes else short
            candidates = (f"{name}_{count}" if count > 1 else name for count in itertools.count(1))
            names[next(candidate for candidate in candidates if candidate not in names)] = short
        flatbuffer.names = list(names)


def _last_before(graph_def, output, stand_ins):
    """The binary convolution that writes an output if any does: of all from which it is computed the last."""
    inputs = {node.name: [re.sub(r"^\^|:\d+$", "", name) for name in node.input] for node in graph_def.node}
    found, pending = {output}, [output]
    while pending:
        new = [name for name in inputs[pending.pop()] if name not in found]
        found.update(new)
        pending += new
    return [stand_in.name for stand_in in stand_ins if found.intersection(stand_in.nodes)][-1:]
