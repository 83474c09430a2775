"""NumPy references of the operators that NumPy does not have under the same rules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

erf = np.vectorize(math.erf, otypes=[float])
erfc = np.vectorize(math.erfc, otypes=[float])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))


def gelu(x: np.ndarray, approximate: str = "none") -> np.ndarray:
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * erfc(-x / math.sqrt(2))


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def softplus(x: np.ndarray, beta: float = 1.0, threshold: float = 20.0) -> np.ndarray:
    return np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta)


def clamp(x: np.ndarray, min: Any = None, max: Any = None) -> np.ndarray:
    x = x if min is None else np.maximum(x, min)
    return x if max is None else np.minimum(x, max)


def floor_mod(x: Any, y: Any) -> Any:
    return x - y * np.floor(x / y) if np.asarray(x).dtype.kind == "f" else np.remainder(x, y)


def power(x: Any, y: Any) -> Any:
    return np.power(x, np.asarray(y, dtype=np.result_type(x, y)))


def over(reduce: Callable[..., Any]) -> Callable[..., Any]:
    """A NumPy reduction under the library's keywords; a 0-d array has the dimensions 0 and -1."""

    def ref(x: np.ndarray, *args: Any, dim: Any = None, keepdim: bool = False, **kw: Any) -> Any:
        axis = tuple(dim) if isinstance(dim, list | tuple) else dim
        if x.ndim == 0:
            return np.reshape(reduce(x.reshape(1), *args, axis=0, **kw), ())
        return reduce(x, *args, axis=axis, keepdims=keepdim, **kw)

    return ref


def values_and_places(best: Callable[..., Any], place: Callable[..., Any]) -> Callable[..., Any]:
    def ref(x: np.ndarray, dim: Any = None, keepdim: bool = False) -> Any:
        if dim is None:
            return best(x)
        return tuple(over(f)(x, dim=dim, keepdim=keepdim) for f in (best, place))

    return ref


def deviation(
    x: np.ndarray, unbiased: bool = True, correction: Any = None, root: bool = False, **kw: Any
) -> Any:
    ddof = correction if correction is not None else int(unbiased)
    with np.errstate(all="ignore"):
        return (np.std if root else np.var)(x, ddof=ddof, **kw)


def norm(x: np.ndarray, p: float = 2, axis: Any = None, keepdims: bool = False) -> Any:
    size = np.abs(x)
    if p == math.inf:
        return size.max(axis=axis, keepdims=keepdims)
    if p == 0:
        return (size != 0).sum(axis=axis, keepdims=keepdims).astype(x.dtype)
    return (size**p).sum(axis=axis, keepdims=keepdims) ** (1 / p)


def logsumexp(x: np.ndarray, axis: Any = None, keepdims: bool = False) -> Any:
    return (
        np.logaddexp.reduce(x, axis=axis, keepdims=keepdims)
        if not isinstance(axis, tuple)
        else (np.log(np.exp(x).sum(axis=axis, keepdims=keepdims)))
    )


def last(f: Callable[..., Any]) -> Callable[..., Any]:
    """Apply f along an axis that a 0-d array has too."""

    def ref(x: np.ndarray, dim: int = -1, **kw: Any) -> Any:
        if x.ndim:
            return f(x, dim, **kw)
        result = f(x.reshape(1), 0, **kw)
        if isinstance(result, tuple):
            return tuple(r.reshape(()) for r in result)
        return result.reshape(())

    return ref


def log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    return x - np.logaddexp.reduce(x, axis=axis, keepdims=True) if x.size else x


def layer_norm(
    x: np.ndarray, sizes: tuple, weight: Any = 1.0, bias: Any = 0.0, eps: float = 1e-5
) -> np.ndarray:
    axes = tuple(range(-len(sizes), 0))
    centred = x - x.mean(axes, keepdims=True)
    variance = (centred**2).mean(axes, keepdims=True)
    return centred / np.sqrt(variance + eps) * weight + bias


def rms_norm(
    x: np.ndarray, sizes: tuple, weight: Any = None, eps: float | None = None
) -> np.ndarray:
    squares = (x**2).mean(tuple(range(-len(sizes), 0)), keepdims=True)
    smallest = np.finfo(x.dtype).eps if eps is None else eps
    return x / np.sqrt(squares + smallest) * (1.0 if weight is None else weight)


def _by_channel(values: Any, dims: int, default: float) -> Any:
    return default if values is None else np.reshape(values, (-1, *(1,) * (dims - 2)))


def group_norm(
    x: np.ndarray, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> np.ndarray:
    rows = x.reshape(x.shape[0], groups, x.shape[1] // groups * math.prod(x.shape[2:]))
    normalized = layer_norm(rows, rows.shape[2:], eps=eps).reshape(x.shape)
    return normalized * _by_channel(weight, x.ndim, 1.0) + _by_channel(bias, x.ndim, 0.0)


def batch_norm(
    x: np.ndarray,
    weight: Any,
    bias: Any,
    mean: Any,
    variance: Any,
    training: bool,
    momentum: float,
    eps: float,
    cudnn: bool,
) -> np.ndarray:
    axes = (0, *range(2, x.ndim))
    if training:
        mean, variance = x.mean(axes), x.var(axes)
    centred = x - _by_channel(mean, x.ndim, 0.0)
    normalized = centred / np.sqrt(_by_channel(variance, x.ndim, 1.0) + eps)
    return normalized * _by_channel(weight, x.ndim, 1.0) + _by_channel(bias, x.ndim, 0.0)


def instance_norm(
    x: np.ndarray,
    weight: Any,
    bias: Any,
    mean: Any,
    variance: Any,
    observed: bool,
    momentum: float,
    eps: float,
    cudnn: bool,
) -> np.ndarray:
    if not observed:
        return batch_norm(x, weight, bias, mean, variance, False, momentum, eps, cudnn)
    return group_norm(x, x.shape[1], weight, bias, eps)


def argsort(
    x: np.ndarray, dim: int = -1, descending: bool = False, stable: bool = False
) -> np.ndarray:
    """Stable in any case: backwards it is the order of the reversed elements, reversed."""
    if descending:
        return x.shape[dim] - 1 - np.flip(argsort(np.flip(x, dim), dim), dim)
    return np.argsort(x, axis=dim, kind="stable")


def sort(x: np.ndarray, dim: int = -1, **order: bool) -> Any:
    places = argsort(x, dim, **order)
    return np.take_along_axis(x, places, dim), places


def topk(x: np.ndarray, k: int, dim: int = -1, largest: bool = True) -> Any:
    if x.ndim == 0:
        return x, np.zeros((), int)
    return tuple(narrow(a, dim, 0, k) for a in sort(x, dim, descending=largest))


def kthvalue(x: np.ndarray, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    if x.ndim == 0:
        return x, np.zeros((), int)
    picked = tuple(narrow(a, dim, k - 1, 1) for a in sort(x, dim))
    return picked if keepdim else tuple(np.squeeze(a, dim) for a in picked)


def middle(x: np.ndarray, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median: the lower one of two."""
    if dim is None:
        return np.sort(x, axis=None)[(x.size - 1) // 2]
    return kthvalue(x, (x.shape[dim] + 1) // 2 if x.ndim else 1, dim, keepdim)


def joined(join: Callable[..., Any]) -> Callable[..., Any]:
    return lambda parts, dim=0: join(parts, axis=dim)


def split(x: np.ndarray, size: Any, dim: int = 0) -> Any:
    cuts = np.cumsum(size)[:-1] if isinstance(size, list) else range(size, x.shape[dim], size)
    return tuple(np.split(x, list(cuts), axis=dim))


def chunk(x: np.ndarray, chunks: int, dim: int = 0) -> Any:
    return split(x, -(-x.shape[dim] // chunks), dim)


def expand(x: np.ndarray, *sizes: int) -> np.ndarray:
    old = (1,) * (len(sizes) - x.ndim) + x.shape
    return np.broadcast_to(x, tuple(o if s == -1 else s for o, s in zip(old, sizes, strict=True)))


def sum_to_size(x: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    x = x.sum(axis=tuple(range(x.ndim - len(size))))
    dims = tuple(d for d, n in enumerate(size) if n == 1)
    return x.sum(axis=dims, keepdims=True)


def squeeze(x: np.ndarray, dim: Any = None) -> np.ndarray:
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    gone = {d % x.ndim for d in dims} if x.ndim else set()
    return x.reshape([s for d, s in enumerate(x.shape) if not (d in gone and s == 1)])


def flatten(x: np.ndarray, start_dim: int = 0, end_dim: int = -1) -> np.ndarray:
    if x.ndim == 0:
        return x.reshape(1)
    end = end_dim % x.ndim
    middle = math.prod(x.shape[start_dim : end + 1])
    return x.reshape(*x.shape[:start_dim], middle, *x.shape[end + 1 :])


def unflatten(x: np.ndarray, dim: int, sizes: tuple[int, ...]) -> np.ndarray:
    dim %= x.ndim
    return x.reshape(*x.shape[:dim], *sizes, *x.shape[dim + 1 :])


def narrow(x: np.ndarray, dim: int, start: int, length: int) -> np.ndarray:
    start %= max(x.shape[dim], 1)
    return np.take(x, range(start, start + length), axis=dim)


def addmm(x: Any, a: np.ndarray, b: np.ndarray, beta: float = 1, alpha: float = 1) -> np.ndarray:
    if a.dtype.kind != "f":
        beta, alpha = int(beta), int(alpha)
    summand = beta * x if beta else np.zeros_like(x)
    product = alpha * (a @ b) if alpha else np.zeros((a.shape[0], b.shape[1]))
    return np.asarray(summand + product).astype(a.dtype)


def diagonal(x: np.ndarray, offset: int = 0, dim1: int = 0, dim2: int = 1) -> np.ndarray:
    return np.diagonal(x, offset, dim1, dim2)


def read(x: Any, index: Any) -> Any:
    return x[tuple(index) if isinstance(index, list) else index]


def write(x: Any, index: Any, value: Any) -> Any:
    x = np.copy(x) if isinstance(x, np.ndarray) else x.clone()
    x[index] = value
    return x


def take(x: np.ndarray, dim: int, index: np.ndarray) -> np.ndarray:
    if x.ndim == 0:
        return take(x.reshape(1), 0, index.reshape(-1)).reshape(index.shape)
    cut = tuple(slice(n) if d != dim % x.ndim else slice(None) for d, n in enumerate(index.shape))
    return np.take_along_axis(x[cut], index, axis=dim)


def put(x: np.ndarray, dim: int, index: np.ndarray, src: Any) -> np.ndarray:
    if x.ndim == 0:
        return np.asarray(src)
    x = np.copy(x)
    if isinstance(src, np.ndarray):
        src = src[tuple(slice(n) for n in index.shape)]
    part = x[
        tuple(slice(n) if d != dim % x.ndim else slice(None) for d, n in enumerate(index.shape))
    ]
    np.put_along_axis(part, index, src, axis=dim)
    return x


def index_put(x: np.ndarray, indices: tuple, values: Any, accumulate: bool = False) -> np.ndarray:
    x = np.copy(x)
    if accumulate:
        np.add.at(x, indices, values)
    else:
        x[indices] = values
    return x


def nonzero(x: np.ndarray, as_tuple: bool = False) -> Any:
    return np.nonzero(np.atleast_1d(x)) if as_tuple else np.argwhere(x)


def put_add(x: np.ndarray, dim: int, index: np.ndarray, src: np.ndarray) -> np.ndarray:
    x, where = np.copy(x), list(np.indices(index.shape))
    where[dim] = index
    np.add.at(x, tuple(where), src[tuple(slice(n) for n in index.shape)])
    return x


def index_reduce(
    x: np.ndarray, dim: int, index: np.ndarray, source: np.ndarray, reduce: str, **kw: bool
) -> np.ndarray:
    shape = [1] * source.ndim
    shape[dim] = -1
    return put_reduced(
        x, dim, np.broadcast_to(index.reshape(shape), source.shape), source, reduce, **kw
    )


def put_reduced(
    x: np.ndarray,
    dim: int,
    index: np.ndarray,
    src: np.ndarray,
    reduce: str,
    *,
    include_self: bool = True,
) -> np.ndarray:
    groups: dict[tuple, list] = {}
    for place in np.ndindex(index.shape):
        target = list(place)
        target[dim] = index[place]
        groups.setdefault(tuple(target), []).append(src[place])
    combine = {"sum": np.sum, "prod": np.prod, "mean": np.sum, "amax": np.max, "amin": np.min}[
        reduce
    ]
    out = np.copy(x)
    for place, values in groups.items():
        if include_self:
            values = [x[place], *values]
        result = np.asarray(combine(np.array(values, dtype=x.dtype))).astype(x.dtype)
        if reduce == "mean":
            result = result / len(values) if x.dtype.kind == "f" else result // len(values)
        out[place] = result
    return out


def index_copy(x: np.ndarray, dim: int, index: np.ndarray, source: np.ndarray) -> np.ndarray:
    x = np.copy(x)
    np.moveaxis(x, dim, 0)[index] = np.moveaxis(source, dim, 0)
    return x


def index_add(
    x: np.ndarray, dim: int, index: np.ndarray, source: np.ndarray, alpha: float = 1
) -> np.ndarray:
    x = np.copy(x)
    scaled = (source * alpha).astype(x.dtype)
    np.add.at(np.moveaxis(x, dim, 0), index, np.moveaxis(scaled, dim, 0))
    return x


def index_fill(x: np.ndarray, dim: int, index: np.ndarray, value: Any) -> np.ndarray:
    x = np.copy(x)
    np.moveaxis(x, dim, 0)[index] = value
    return x


def masked_scatter(x: np.ndarray, mask: np.ndarray, source: np.ndarray) -> np.ndarray:
    x, mask = (np.copy(a) for a in np.broadcast_arrays(x, mask))
    x[mask] = source.reshape(-1)[: mask.sum()]
    return x


def masked_fill(x: np.ndarray, mask: np.ndarray, value: Any) -> np.ndarray:
    return np.where(mask, np.asarray(value, dtype=x.dtype), x)


def reduced(values: np.ndarray, reduction: str) -> Any:
    return {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](values)


def _picked(logp, target, weight, ignore_index):
    """The weighted losses of class numbers along the last dimension, and their weights."""
    used = target != ignore_index
    place = np.where(used, target, 0)[..., None]
    weights = np.take_along_axis(np.broadcast_to(weight, logp.shape), place, -1)[..., 0] * used
    return -np.take_along_axis(logp, place, -1)[..., 0] * weights, weights


def nll_loss(x, target, weight=None, *, reduction="mean", ignore_index=-100):
    """Classes along dimension 1 (0 for a vector)."""
    x = np.moveaxis(x, 1 if x.ndim > 1 else 0, -1)
    weight = np.ones(x.shape[-1]) if weight is None else weight
    values, weights = _picked(x, target, weight, ignore_index)
    return values.sum() / weights.sum() if reduction == "mean" else reduced(values, reduction)


def cross_entropy(
    x, target, weight=None, *, reduction="mean", ignore_index=-100, label_smoothing=0.0
):
    """The same of logits; targets may also be probabilities, in the shape of x."""
    x = np.moveaxis(x, 1 if x.ndim > 1 else 0, -1)
    classes, logp = x.shape[-1], log_softmax(x)
    w = np.ones(classes) if weight is None else weight
    if target.dtype.kind == "f":
        p = np.moveaxis(target, 1 if target.ndim > 1 else 0, -1)
        p = p * (1 - label_smoothing) + label_smoothing / classes
        values = -(p * w * logp).sum(-1)
        count = math.prod(values.shape)
    else:
        hard, weights = _picked(logp, target, w, ignore_index)
        smooth = -(logp * w).sum(-1) * (target != ignore_index) / classes
        values = (1 - label_smoothing) * hard + label_smoothing * smooth
        count = weights.sum()
    return values.sum() / count if reduction == "mean" else reduced(values, reduction)


def smooth_l1_loss(x, target, reduction="mean", beta=1.0):
    d = np.abs(x - target)
    return reduced(np.where(d < beta, d * d / (2 * beta), d - beta / 2), reduction)


def bce_with_logits(x, target, weight=None, *, reduction="mean", pos_weight=None):
    p = 1.0 if pos_weight is None else pos_weight
    values = (1 - target) * x + (1 + (p - 1) * target) * np.logaddexp(0, -x)
    return reduced(values if weight is None else values * weight, reduction)
