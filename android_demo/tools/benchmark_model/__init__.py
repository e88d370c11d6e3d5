"""The command line and the output of ``lce_benchmark_model``, Larq Compute Engine's on-device tool.

It is TensorFlow Lite's ``benchmark_model`` with LCE's operators. Pure functions: whoever has a device runs the command
and hands over what it printed, as far as it came.

>>> from android_demo.results import Settings
>>> command("./lce_benchmark_model", "model.tflite", Settings(threads=4))[:3]
['./lce_benchmark_model', '--graph=model.tflite', '--num_threads=4']
>>> output = parse('''STARTING!
... INFO: Initialized session in 5.5ms.
... INFO: count=2 first=2000 curr=1500 min=1500 max=2000 avg=1750 std=250
... INFO: count=50 first=1600 curr=1500 min=1450 max=1700 avg=1520.5 std=30
... INFO: Inference timings in us: Init: 5500, First inference: 2000, Warmup (avg): 1750, Inference (avg): 1520.5
... ''')
>>> output.complete, output.inference.avg, output.inference.std
(True, 1520.5, 30.0)
"""

from android_demo.tools.benchmark_model.command_line import check_flags, command
from android_demo.tools.benchmark_model.output import Delegate, NodeType, Operator, Profile, Statistics, ToolOutput
from android_demo.tools.benchmark_model.parser import parse

__all__ = ["Delegate", "NodeType", "Operator", "Profile", "Statistics", "ToolOutput", "check_flags", "command", "parse"]
