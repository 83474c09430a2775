"""Layers that take maxima over windows at random places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..._C import Tensor
from .. import functional as F
from .module import Module
from .pooling import _Size, _tuple

__all__ = ["FractionalMaxPool2d", "FractionalMaxPool3d"]

_Ratio = float | Sequence[float]


class _FractionalMaxPoolNd(Module):
    dims: int
    _random_samples: Tensor | None

    def __init__(
        self,
        kernel_size: _Size,
        output_size: _Size | None = None,
        output_ratio: _Ratio | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = _tuple(kernel_size, self.dims)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else _tuple(output_size, self.dims)
        self.output_ratio: Any = None if output_ratio is None else _tuple(output_ratio, self.dims)
        if output_size is None and output_ratio is None:
            raise ValueError(
                f"FractionalMaxPool{self.dims}d requires specifying either an output size, or a "
                "pooling ratio"
            )
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if self.output_ratio and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def _pool(self, function: Any, input: Tensor) -> Any:
        return function(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """Maxima over windows whose steps are drawn so that a given size comes out.

    Args:
        kernel_size: the size of the windows.
        output_size: the size of the result.
        output_ratio: its ratio to the size of the input, between 0 and 1; one of both is given.
        return_indices: give the places of the maxima in each plane, too. Default: False.

    Raises:
        ValueError: if neither the size nor the ratio is given, or both are.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.FractionalMaxPool2d(2, output_ratio=0.5)
        >>> tuple(m(tapegrad.randn(1, 3, 8, 8)).shape)
        (1, 3, 4, 4)
    """

    dims = 2

    def forward(self, input: Tensor) -> Any:
        return self._pool(F.fractional_max_pool2d, input)


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """As :class:`FractionalMaxPool2d`, of volumes (N, C, T, H, W) or (C, T, H, W).

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.FractionalMaxPool3d(2, output_size=3)
        >>> tuple(m(tapegrad.randn(1, 3, 8, 8, 8)).shape)
        (1, 3, 3, 3, 3)
    """

    dims = 3

    def forward(self, input: Tensor) -> Any:
        return self._pool(F.fractional_max_pool3d, input)
