"""Mixed precision: products in bfloat16, the rest in float32.

Example:
    >>> import tapegrad
    >>> x = tapegrad.ones(2, 2)
    >>> with tapegrad.autocast("cpu"):
    ...     product, power = x @ x, x.exp()
    >>> product.dtype, power.dtype
    (tapegrad.bfloat16, tapegrad.float32)
"""

from .autocast_mode import autocast, custom_bwd, custom_fwd, is_autocast_available
from .grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
