"""``python -m android_demo.cli`` is ``bnext-benchmark``."""

import sys

from android_demo.cli import main

sys.exit(main())
