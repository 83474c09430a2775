"""Where PyTorch has the parts of `utils.data` that programs build on."""

from . import collate, worker

__all__ = ["collate", "worker"]
