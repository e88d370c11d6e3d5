"""``bnext-runtime``, a distribution with the engine alone: `Interpreter` for machines without TensorFlow.

``platforms``  the machines that a wheel is made for, and the engine's library compiled for each
``sources``    the Python modules of the engine, and of whatever they import, under a package of their own
``archive``    the wheel

A wheel needs nothing but NumPy. It is made of the modules and the sources that run here: there is one engine, not two.
"""

from android_demo.export.wheel.archive import make_wheel
from android_demo.export.wheel.platforms import PLATFORMS

__all__ = ["PLATFORMS", "make_wheel"]
