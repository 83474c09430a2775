"""Layers that add elements around the last dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from ..._C import Tensor
from .. import functional as F
from .module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module):
    dims: int
    mode: str

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        count = 2 * self.dims
        self.padding: tuple[int, ...] = (
            tuple(padding) if isinstance(padding, Sequence) else (padding,) * count
        )

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ConstantPad1d(_ConstantPad):
    """Elements of one value around lines.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.
        value: that of the new elements.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.ConstantPad1d(1, 9.0)(tapegrad.tensor([[1.0, 2.0, 3.0]]))
        tensor([[9., 1., 2., 3., 9.]])
    """

    dims = 1


class ConstantPad2d(_ConstantPad):
    """Elements of one value around images.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.
        value: that of the new elements.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.ConstantPad2d(1, 9.0)(tapegrad.ones(1, 3, 3)).shape)
        (1, 5, 5)
    """

    dims = 2


class ConstantPad3d(_ConstantPad):
    """Elements of one value around volumes.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.
        value: that of the new elements.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.ConstantPad3d(1, 9.0)(tapegrad.ones(1, 3, 3, 3)).shape)
        (1, 5, 5, 5)
    """

    dims = 3


class ZeroPad1d(_ZeroPad):
    """Zeros around lines.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.ZeroPad1d(1)(tapegrad.tensor([[1.0, 2.0, 3.0]]))
        tensor([[0., 1., 2., 3., 0.]])
    """

    dims = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around images.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.ZeroPad2d(1)(tapegrad.ones(1, 3, 3)).shape)
        (1, 5, 5)
    """

    dims = 2


class ZeroPad3d(_ZeroPad):
    """Zeros around volumes.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.ZeroPad3d(1)(tapegrad.ones(1, 3, 3, 3)).shape)
        (1, 5, 5, 5)
    """

    dims = 3


class ReflectionPad1d(_Pad):
    """Elements mirrored at the border, which itself is not repeated, around lines.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.ReflectionPad1d(1)(tapegrad.tensor([[1.0, 2.0, 3.0]]))
        tensor([[2., 1., 2., 3., 2.]])
    """

    dims = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """Elements mirrored at the border, which itself is not repeated, around images.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.ReflectionPad2d(1)(tapegrad.ones(1, 3, 3)).shape)
        (1, 5, 5)
    """

    dims = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """Elements mirrored at the border, which itself is not repeated, around volumes.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.ReflectionPad3d(1)(tapegrad.ones(1, 3, 3, 3)).shape)
        (1, 5, 5, 5)
    """

    dims = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """Those at the border, again and again, around lines.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.ReplicationPad1d(1)(tapegrad.tensor([[1.0, 2.0, 3.0]]))
        tensor([[1., 1., 2., 3., 3.]])
    """

    dims = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """Those at the border, again and again, around images.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.ReplicationPad2d(1)(tapegrad.ones(1, 3, 3)).shape)
        (1, 5, 5)
    """

    dims = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """Those at the border, again and again, around volumes.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.ReplicationPad3d(1)(tapegrad.ones(1, 3, 3, 3)).shape)
        (1, 5, 5, 5)
    """

    dims = 3
    mode = "replicate"


class CircularPad1d(_Pad):
    """Elements from the other end around lines.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.CircularPad1d(1)(tapegrad.tensor([[1.0, 2.0, 3.0]]))
        tensor([[3., 1., 2., 3., 1.]])
    """

    dims = 1
    mode = "circular"


class CircularPad2d(_Pad):
    """Elements from the other end around images.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.CircularPad2d(1)(tapegrad.ones(1, 3, 3)).shape)
        (1, 5, 5)
    """

    dims = 2
    mode = "circular"


class CircularPad3d(_Pad):
    """Elements from the other end around volumes.

    Args:
        padding: how many, before and after, the last dimension first; or one number for all.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.CircularPad3d(1)(tapegrad.ones(1, 3, 3, 3)).shape)
        (1, 5, 5, 5)
    """

    dims = 3
    mode = "circular"
