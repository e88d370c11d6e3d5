"""An Android app of one network: the page for browsers, and a benchmark with the engine's own program.

``package``    puts it together, with Debian's tools: no SDK, no NDK
``signature``  signs it
``assets``     what the app adds to the page
``smali``      the activity, in the assembly language of Android's virtual machine, for which Debian has no compiler of
               Java; comments have the Java that it stands for
"""

from android_demo.export.apk.package import render
from android_demo.export.apk.signature import Key, sign

__all__ = ["Key", "render", "sign"]
