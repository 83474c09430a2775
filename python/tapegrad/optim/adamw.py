"""Where PyTorch has `AdamW`, which is in adam.py here."""

from .adam import AdamW

__all__ = ["AdamW"]
