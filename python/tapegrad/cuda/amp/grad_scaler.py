"""`GradScaler` for GPUs, under the name that PyTorch's file has."""

from . import GradScaler

__all__ = ["GradScaler"]
