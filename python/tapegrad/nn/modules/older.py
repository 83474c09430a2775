"""Modules that programs have from older versions."""

from __future__ import annotations

import warnings
from typing import Any

import tapegrad

from ..._C import Tensor
from .. import functional as F
from .images import LocalResponseNorm
from .loss import NLLLoss
from .module import Module

__all__ = ["Container", "CrossMapLRN2d", "NLLLoss2d"]


class Container(Module):
    """A module with the given submodules; deprecated, as every module can have some.

    Args:
        **kwargs: the modules by their names.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        warnings.warn(
            "`nn.Container` is deprecated. All of its functionality is now implemented in "
            "`nn.Module`. Subclass that instead.",
            FutureWarning,
            stacklevel=2,
        )
        for name, module in kwargs.items():
            self.add_module(name, module)


class NLLLoss2d(NLLLoss):
    """:class:`NLLLoss`, which takes images, too; deprecated."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            "`NLLLoss2d` has been deprecated. Please use `NLLLoss` instead as a drop-in "
            "replacement and see https://pytorch.org/docs/main/nn.html#torch.nn.NLLLoss for more "
            "details.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__(*args, **kwargs)


class CrossMapLRN2d(LocalResponseNorm):
    """Divides by a sum of squares over neighbouring channels, as :class:`LocalResponseNorm`.

    An even `size` counts one channel less, and the first channel counts for all that are farther
    from it than half of `size`, too, as in PyTorch.

    Raises:
        ValueError: if the input is not (N, C, H, W).

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.CrossMapLRN2d(3)(tapegrad.ones(1, 4, 2, 2)).shape)
        (1, 4, 2, 2)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__(size, alpha, beta, k)

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() != 4:
            raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.dim()}D instead.")
        reach = (self.size + 1) // 2
        squares = input * input
        around = F.pad(squares, (0, 0, 0, 0, reach - 1, reach - 1))
        total = around.unfold(1, 2 * reach - 1, 1).sum(-1)
        farther = (tapegrad.arange(input.shape[1]) >= reach).to(input.dtype).reshape(1, -1, 1, 1)
        total = total + squares[:, :1] * farther
        return input * (total * (self.alpha / self.size) + self.k).pow(-self.beta)
