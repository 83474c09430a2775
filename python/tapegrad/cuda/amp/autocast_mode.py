"""`autocast` for GPUs, under the name that PyTorch's file has."""

from . import autocast, custom_bwd, custom_fwd

__all__ = ["autocast", "custom_bwd", "custom_fwd"]
