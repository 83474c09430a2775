"""Named results of operators that return several tensors."""

from __future__ import annotations

import inspect
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ._C import Tensor

__all__ = [
    "aminmax",
    "cummax",
    "cummin",
    "frexp",
    "geqrf",
    "histogram",
    "histogramdd",
    "kthvalue",
    "linalg_cholesky_ex",
    "linalg_eigh",
    "linalg_inv_ex",
    "linalg_lstsq",
    "linalg_lu",
    "linalg_lu_factor",
    "linalg_lu_factor_ex",
    "linalg_qr",
    "linalg_slogdet",
    "linalg_solve_ex",
    "linalg_svd",
    "lu_unpack",
    "max",
    "median",
    "min",
    "mode",
    "nanmedian",
    "qr",
    "slogdet",
    "sort",
    "svd",
    "topk",
    "triangular_solve",
]

_T = TypeVar("_T", covariant=True)


class _Results(tuple[_T, ...]):
    """Results whose names are the annotations of the class."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        names = tuple(inspect.get_annotations(cls))
        cls._names = names or cls._names
        for i, name in enumerate(names):
            setattr(cls, name, property(itemgetter(i)))

    _names: tuple[str, ...] = ()

    def __repr__(self) -> str:
        parts = (f"{name}={part!r}" for name, part in zip(self._names, self, strict=True))
        return f"tapegrad.return_types.{type(self).__name__}(\n" + ",\n".join(parts) + ")"


class _Named(_Results["Tensor"]):
    """Results that are all tensors."""

    __slots__ = ()


class _Pair(_Named):
    """Selected values, and where they were: int64."""

    __slots__ = ()
    values: Tensor
    indices: Tensor


class aminmax(_Named):
    """Result of ``tapegrad.aminmax``."""

    __slots__ = ()
    min: Tensor
    max: Tensor


class cummax(_Pair):
    """Result of ``tapegrad.cummax``."""

    __slots__ = ()


class cummin(_Pair):
    """Result of ``tapegrad.cummin``."""

    __slots__ = ()


class frexp(_Named):
    """Result of ``tapegrad.frexp``.

    Numbers in [1/2, 1) with the sign of the element, or 0, and the
    powers of two (int32) that they are multiplied with.
    """

    __slots__ = ()
    mantissa: Tensor
    exponent: Tensor


class histogram(_Named):
    """Result of ``tapegrad.histogram``: what is in the bins, and where they begin and end."""

    __slots__ = ()
    hist: Tensor
    bin_edges: Tensor


class histogramdd(_Results[Any]):
    """Result of ``tapegrad.histogramdd``: what is in the bins, and the edges of each dimension."""

    __slots__ = ()
    hist: Tensor
    bin_edges: tuple[Tensor, ...]


class kthvalue(_Pair):
    """Result of ``tapegrad.kthvalue``."""

    __slots__ = ()


class max(_Pair):
    """Result of ``tapegrad.max`` along a dimension."""

    __slots__ = ()


class median(_Pair):
    """Result of ``tapegrad.median`` along a dimension."""

    __slots__ = ()


class min(_Pair):
    """Result of ``tapegrad.min`` along a dimension."""

    __slots__ = ()


class mode(_Pair):
    """Result of ``tapegrad.mode``."""

    __slots__ = ()


class nanmedian(_Pair):
    """Result of ``tapegrad.nanmedian`` along a dimension."""

    __slots__ = ()


class sort(_Pair):
    """Result of ``tapegrad.sort``."""

    __slots__ = ()


class topk(_Pair):
    """Result of ``tapegrad.topk``."""

    __slots__ = ()


class linalg_solve_ex(_Named):
    """Result of ``tapegrad.linalg.solve_ex``."""

    __slots__ = ()
    result: Tensor
    info: Tensor


class linalg_inv_ex(_Named):
    """Result of ``tapegrad.linalg.inv_ex``."""

    __slots__ = ()
    inverse: Tensor
    info: Tensor


class linalg_slogdet(_Named):
    """Result of ``tapegrad.linalg.slogdet``."""

    __slots__ = ()
    sign: Tensor
    logabsdet: Tensor


class linalg_cholesky_ex(_Named):
    """Result of ``tapegrad.linalg.cholesky_ex``."""

    __slots__ = ()
    L: Tensor
    info: Tensor


class linalg_lu(_Named):
    """Result of ``tapegrad.linalg.lu``."""

    __slots__ = ()
    P: Tensor
    L: Tensor
    U: Tensor


class linalg_lu_factor(_Named):
    """Result of ``tapegrad.linalg.lu_factor``."""

    __slots__ = ()
    LU: Tensor
    pivots: Tensor


class linalg_lu_factor_ex(_Named):
    """Result of ``tapegrad.linalg.lu_factor_ex``."""

    __slots__ = ()
    LU: Tensor
    pivots: Tensor
    info: Tensor


class linalg_qr(_Named):
    """Result of ``tapegrad.linalg.qr``."""

    __slots__ = ()
    Q: Tensor
    R: Tensor


class linalg_svd(_Named):
    """Result of ``tapegrad.linalg.svd``."""

    __slots__ = ()
    U: Tensor
    S: Tensor
    Vh: Tensor


class linalg_eigh(_Named):
    """Result of ``tapegrad.linalg.eigh``."""

    __slots__ = ()
    eigenvalues: Tensor
    eigenvectors: Tensor


class linalg_lstsq(_Named):
    """Result of ``tapegrad.linalg.lstsq``."""

    __slots__ = ()
    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


class slogdet(_Named):
    """Result of ``tapegrad.slogdet``."""

    __slots__ = ()
    sign: Tensor
    logabsdet: Tensor


class triangular_solve(_Named):
    """Result of ``tapegrad.triangular_solve``."""

    __slots__ = ()
    solution: Tensor
    cloned_coefficient: Tensor


class lu_unpack(_Named):
    """Result of ``tapegrad.lu_unpack``."""

    __slots__ = ()
    P: Tensor
    L: Tensor
    U: Tensor


class qr(_Named):
    """Result of ``tapegrad.qr``."""

    __slots__ = ()
    Q: Tensor
    R: Tensor


class geqrf(_Named):
    """Result of ``tapegrad.geqrf``."""

    __slots__ = ()
    a: Tensor
    tau: Tensor


class svd(_Named):
    """Result of ``tapegrad.svd``."""

    __slots__ = ()
    U: Tensor
    S: Tensor
    V: Tensor
