"""Applications of one converted network, in the engine: whatever shows what the network sees in somebody's pictures.

``model``    what an application needs to know of a file
``web``      a page for browsers
``apk``      an Android app
``aar``      a library for Android apps
``wheel``    the engine alone as a Python package, for any network
``tools``    Debian's programs that make the app and the library
``archive``  archives that are the same every time
"""
