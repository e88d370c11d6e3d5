"""Which way imports go: nothing here starts TensorFlow, and every module can be the first that is imported."""

import subprocess
import sys


def test_nothing_here_imports_tensorflow_and_of_the_other_packages_only_what_needs_none():
    program = (
        "import importlib, pkgutil, sys, android_demo\n"
        "for module in pkgutil.walk_packages(android_demo.__path__, 'android_demo.'):\n"
        "    if not module.name.endswith('__main__'):\n"
        "        importlib.import_module(module.name)\n"
        "heavy = {'tensorflow', 'tf_keras', 'larq', 'larq_compute_engine'}\n"
        "rooms = {name for name in sys.modules if name.startswith(('bnext_keras.', 'converter.'))}\n"
        "open_to_all = ('_version', '_keras', 'errors', 'files', 'image_files', 'text', 'console', 'logs', 'cli', "
        "'cli._tool', 'labels', 'preprocessing', 'array_files', 'data', 'tflite', 'cards', 'charts')\n"
        "closed = {name for name in rooms if not name.partition('.')[2].startswith(open_to_all)}\n"
        "print(sorted(heavy & sys.modules.keys()), sorted(closed))\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[] []\n"


def test_every_module_can_be_imported_first():
    program = (
        "import importlib, pkgutil, sys, android_demo\n"
        "for module in list(pkgutil.walk_packages(android_demo.__path__, 'android_demo.')):\n"
        "    for name in [name for name in sys.modules if name.startswith('android_demo')]:\n"
        "        del sys.modules[name]\n"
        "    if not module.name.endswith('__main__'):\n"
        "        importlib.import_module(module.name)\n"
        "        print(module.name)\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "android_demo.tools.benchmark_model" in found.stdout.splitlines()
