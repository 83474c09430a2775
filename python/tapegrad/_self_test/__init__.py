"""What ``python -m tapegrad`` runs: whether this build computes right here, and how fast."""

from __future__ import annotations

from ._run import main

__all__ = ["main"]
