"""Channels in another order, under the name that PyTorch's file has."""

from __future__ import annotations

from .images import ChannelShuffle as ChannelShuffle

__all__ = ["ChannelShuffle"]
