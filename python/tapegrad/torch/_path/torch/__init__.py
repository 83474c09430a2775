"""What ``import torch`` finds in the interpreters that a program starts by ``multiprocessing``."""

import sys

del sys.modules["torch"]  # this module, in whose place tapegrad comes

from tapegrad.torch import install  # noqa: E402

install()
