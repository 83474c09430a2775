"""The version of the installed package."""

from ._C import __version__ as __version__
