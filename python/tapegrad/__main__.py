"""Describes the build, and tests and measures it: ``python -m tapegrad``."""

import sys

from tapegrad._self_test import main

if __name__ == "__main__":
    sys.exit(main())
