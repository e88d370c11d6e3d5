"""A library for other people's Android apps: the engine, its Java classes and, if wanted, a network.

``library``  puts it together
``java``     the classes: ``Interpreter`` in the manner of TensorFlow Lite's, ``Native`` the engine's side

The engine's own side is ``android_demo/runner/native/hosts/jni.cpp``. What is made runs in any Java machine of 8 or
later on 64-bit ARM and x86-64: that is how it is tested.
"""

from android_demo.export.aar.library import render, sources

__all__ = ["render", "sources"]
