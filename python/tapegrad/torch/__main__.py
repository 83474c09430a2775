"""Runs a program: ``python -m tapegrad.torch program.py arguments...``."""

import sys

from tapegrad.torch._run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
