"""Methods of Tensor that are seldom called, made of the others, and their functions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from . import _C
from ._C import Tensor
from ._C import _take_note as take_note
from ._differences import diff
from ._legacy import type_name
from ._tensor import add_members

# The package exports these names.
__all__ = [
    "adjoint",
    "conj_physical",
    "conj_physical_",
    "diff",
    "imag",
    "is_conj",
    "is_neg",
    "is_same_size",
    "is_signed",
    "narrow_copy",
    "nonzero_static",
]


# ---------------------------------------------------------------------- of real numbers


def is_conj(input: Tensor) -> bool:
    """False: the elements are real numbers.

    Example:
        >>> import tapegrad
        >>> tapegrad.is_conj(tapegrad.ones(2))
        False
    """
    return False


def is_neg(input: Tensor) -> bool:
    """False: no tensor is marked as one whose elements are still to be negated.

    Example:
        >>> import tapegrad
        >>> tapegrad.is_neg(-tapegrad.ones(2))
        False
    """
    return False


def imag(input: Tensor) -> NoReturn:
    """Refuses: the elements are real numbers.

    Raises:
        RuntimeError: always.

    Example:
        >>> import tapegrad
        >>> tapegrad.imag(tapegrad.ones(2))
        Traceback (most recent call last):
        RuntimeError: imag is not implemented for tensors with non-complex dtypes.
    """
    raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")


def conj_physical(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The tensor itself, whose elements are real numbers.

    Args:
        input: a tensor.
        out: a tensor to write to. Default: none.

    Example:
        >>> import tapegrad
        >>> tapegrad.conj_physical(tapegrad.ones(2))
        tensor([1., 1.])
    """
    if take_note(input, out):
        return conj_physical(input, out=out)
    return input if out is None else _C.alias_copy(input, out=out)


def conj_physical_(input: Tensor) -> Tensor:
    """The tensor itself, whose elements are real numbers.

    Example:
        >>> import tapegrad
        >>> tapegrad.conj_physical_(tapegrad.ones(2))
        tensor([1., 1.])
    """
    if take_note(input):
        return conj_physical_(input)
    return input


def is_signed(input: Tensor) -> bool:
    """Whether the dtype has negative numbers.

    Example:
        >>> import tapegrad
        >>> tapegrad.is_signed(tapegrad.ones(2)), tapegrad.is_signed(tapegrad.tensor([True]))
        (True, False)
    """
    if take_note(input):
        return is_signed(input)
    return input.dtype.is_signed


def _transposed(input: Tensor, name: str, most: int | None = None) -> Tensor:
    if input.dim() == 0:
        label = name if name == "adjoint()" else f"Tensor.{name}"
        warnings.warn(
            f"{label} is deprecated on 0-D tensors. Consider using x.conj().", stacklevel=3
        )
        return input
    if input.dim() == 1 or (most is not None and input.dim() > most):
        kinds = "matrices or batches of matrices" if most is None else "matrices (2-D tensors)"
        more = " For batches of matrices, consider using tensor.mH" if input.dim() > 1 else ""
        raise RuntimeError(
            f"tensor.{name} is only supported on {kinds}. Got {input.dim()}-D tensor.{more}"
        )
    return input.transpose(-2, -1)


def adjoint(input: Tensor) -> Tensor:
    """The matrices with rows and columns exchanged.

    Args:
        input: a tensor of at least two dimensions.

    Returns:
        A view.

    Raises:
        RuntimeError: if the input has one dimension.

    Example:
        >>> import tapegrad
        >>> tapegrad.adjoint(tapegrad.tensor([[1, 2], [3, 4]]))
        tensor([[1, 3],
                [2, 4]])
    """
    if take_note(input):
        return adjoint(input)
    return _transposed(input, "adjoint()")


def _H(self: Tensor) -> Tensor:
    """The matrix with rows and columns exchanged.

    Raises:
        RuntimeError: if it is no matrix.

    Example:
        >>> import tapegrad
        >>> tapegrad.tensor([[1, 2]]).H
        tensor([[1],
                [2]])
    """
    return _transposed(self, "H", 2)


def _mH(self: Tensor) -> Tensor:
    """The matrices with rows and columns exchanged.

    Raises:
        RuntimeError: if there is one dimension.

    Example:
        >>> import tapegrad
        >>> tapegrad.tensor([[1, 2]]).mH
        tensor([[1],
                [2]])
    """
    return _transposed(self, "mH")


# ---------------------------------------------------------------------- shapes and memory


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape.

    Example:
        >>> import tapegrad
        >>> tapegrad.is_same_size(tapegrad.ones(2), tapegrad.ones(1, 2))
        False
    """
    if take_note(input, other):
        return is_same_size(input, other)
    if not isinstance(other, Tensor):
        kind = type(other).__name__
        raise TypeError(f"is_same_size(): argument 'other' (position 2) must be Tensor, not {kind}")
    return input.shape == other.shape


def narrow_copy(
    input: Tensor, dim: int, start: int, length: int, *, out: Tensor | None = None
) -> Tensor:
    """A copy of what ``narrow`` gives.

    Args:
        input: a tensor.
        dim: the dimension.
        start: the first index.
        length: how many there are.
        out: a tensor to write to. Default: a new one.

    Example:
        >>> import tapegrad
        >>> tapegrad.narrow_copy(tapegrad.arange(5), 0, 1, 3)
        tensor([1, 2, 3])
    """
    if take_note(input, out):
        return narrow_copy(input, dim, start, length, out=out)
    return _C.alias_copy(input.narrow(dim, start, length), out=out)


def nonzero_static(
    input: Tensor, *, size: int, fill_value: int = -1, out: Tensor | None = None
) -> Tensor:
    """The places of elements that are not zero, in a given number of rows.

    Args:
        input: a tensor.
        size: the number of rows: more places are left out.
        fill_value: what stands in the rows that no place is left for. Default: -1.
        out: an int64 tensor to write to. Default: a new one.

    Example:
        >>> import tapegrad
        >>> tapegrad.nonzero_static(tapegrad.tensor([0, 1, 1]), size=3).flatten()
        tensor([ 1,  2, -1])
    """
    if take_note(input, out):
        return nonzero_static(input, size=size, fill_value=fill_value, out=out)
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found = input.nonzero()[:size]
    rest = found.new_full((size - found.shape[0], input.dim()), fill_value)
    return _C.cat([found, rest], out=out)


def _is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether another tensor shows the same elements of the same memory.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.ones(2)
        >>> x.is_set_to(x.view(2)), x.is_set_to(x.clone())
        (True, False)
    """
    mine, other = _C._whole_storage(self), _C._whole_storage(tensor)
    memory = mine.data_ptr() == other.data_ptr() and mine.data_ptr() != 0
    return (
        (memory or self is tensor)
        and self.dtype is tensor.dtype
        and self.storage_offset() == tensor.storage_offset()
        and self.shape == tensor.shape
        and self.stride() == tensor.stride()
    )


def _as_subclass(self: Tensor, cls: type[Tensor]) -> Tensor:
    """The same elements as a tensor of a subclass.

    Args:
        cls: a subclass of Tensor.

    Returns:
        A view; gradients flow through it.

    Example:
        >>> import tapegrad
        >>> class Named(tapegrad.Tensor): pass
        >>> type(tapegrad.ones(2).as_subclass(Named)).__name__
        'Named'
    """
    if not isinstance(cls, type):
        raise TypeError(f"cls must be a type (got {type(cls).__name__})")
    if not issubclass(cls, Tensor):
        raise RuntimeError(f"Creating a new Tensor subclass {cls.__name__} but it is none of them")
    return _C._alias(cls, self)


def _resized(self: Tensor, name: str, shape: Any) -> Tensor:
    warnings.warn(f"non-inplace {name} is deprecated", stacklevel=3)
    count = math.prod(shape)
    if count != self.numel():
        sizes = ["x".join(map(str, size)) for size in (shape, self.shape)]
        raise RuntimeError(
            f"requested resize to {sizes[0]} ({count} elements in total), but the given tensor has "
            f"a size of {sizes[1]} ({self.numel()} elements). autograd's resize can only change "
            "the shape of a given tensor, while preserving the number of elements. "
        )
    return self.reshape(tuple(shape))


def _resize(self: Tensor, *sizes: Any) -> Tensor:
    """The same as ``reshape``; deprecated.

    Raises:
        RuntimeError: if the number of elements is another one.

    Example:
        >>> import tapegrad
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     tuple(tapegrad.ones(4).resize(2, 2).shape)
        (2, 2)
    """
    single = len(sizes) == 1 and not isinstance(sizes[0], int)
    return _resized(self, "resize", sizes[0] if single else sizes)


def _resize_as(self: Tensor, tensor: Tensor) -> Tensor:
    """The same as ``reshape_as``; deprecated.

    Raises:
        RuntimeError: if the number of elements is another one.

    Example:
        >>> import tapegrad
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     tuple(tapegrad.ones(4).resize_as(tapegrad.ones(2, 2)).shape)
        (2, 2)
    """
    return _resized(self, "resize_as", tensor.shape)


def _storage(self: Tensor) -> Any:
    """The memory of the tensor, as numbers of its dtype; deprecated.

    Returns:
        A ``tapegrad.TypedStorage``, which shares the memory.

    Example:
        >>> import tapegrad
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     tapegrad.arange(3).storage().tolist()
        [0, 1, 2]
    """
    from .storage import storage_of

    return storage_of(self, warn=True)


def _untyped_storage(self: Tensor) -> Any:
    """The memory of the tensor, as bytes.

    Returns:
        A ``tapegrad.UntypedStorage``, which shares the memory.

    Example:
        >>> import tapegrad
        >>> tapegrad.zeros(3).untyped_storage().nbytes()
        12
    """
    from .storage import storage_of

    return storage_of(self).untyped()


def _typed_storage(self: Tensor) -> Any:
    """As :meth:`storage`, without its warning."""
    from .storage import storage_of

    return storage_of(self)


def _storage_type(self: Tensor) -> Any:
    """The type of storages of the tensor's dtype.

    Example:
        >>> import tapegrad
        >>> tapegrad.zeros(3).storage_type() is tapegrad.FloatStorage
        True
    """
    from .storage import storage_class

    return storage_class(self.dtype)


# ---------------------------------------------------------------------- functions of elements


def _map(name: str, self: Tensor, others: tuple[Tensor, ...], function: Any) -> Tensor:
    for place, other in enumerate(others):
        label, kind = ("other", "") if len(others) == 1 else (("x", "y")[place], "argument ")
        if not isinstance(other, Tensor):
            raise TypeError(
                f"{name}(): argument '{label}' (position {place + 1}) must be Tensor, not "
                + type(other).__name__
            )
        if other.dtype is not self.dtype:
            raise TypeError(
                f"{name}: expected {type_name(self.dtype)} for {kind}'{label}' (got "
                f"{type_name(other.dtype)})"
            )
    if any(x.requires_grad for x in (self, *others)):
        raise RuntimeError(
            f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() "
            "instead."
        )
    rows = [x.expand_as(self).reshape(-1).tolist() for x in (self, *others)]
    flat = [function(*values) for values in zip(*rows, strict=True)]
    return self.copy_(_C.tensor(flat, dtype=self.dtype).reshape(self.shape))


def _map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replace each element by what a function makes of it and of another tensor's (slow).

    Args:
        tensor: a tensor of the same dtype, whose shape broadcasts to this one's.
        callable: takes and returns Python numbers.

    Returns:
        The tensor itself.

    Raises:
        RuntimeError: if one of the tensors requires gradients.

    Example:
        >>> import tapegrad
        >>> tapegrad.tensor([1.0, 2.0]).map_(tapegrad.tensor([3.0, 4.0]), lambda a, b: a * b)
        tensor([3., 8.])
    """
    return _map("map_", self, (tensor,), callable)


def _map2_(self: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]) -> Tensor:
    """Replace each element by what a function makes of it and of two other tensors' (slow).

    Args:
        x: a tensor of the same dtype, whose shape broadcasts to this one's.
        y: another one.
        callable: takes and returns Python numbers.

    Returns:
        The tensor itself.

    Raises:
        RuntimeError: if one of the tensors requires gradients.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.ones(2)
        >>> tapegrad.zeros(2).map2_(x, x, lambda a, b, c: a + b + c)
        tensor([2., 2.])
    """
    return _map("map2_", self, (x, y), callable)


# ---------------------------------------------------------------------- what is gone


def _reinforce(self: Tensor, reward: Any) -> NoReturn:
    """Refuses: it is long gone.

    Raises:
        RuntimeError: always.

    Example:
        >>> import tapegrad
        >>> tapegrad.ones(1).reinforce(1.0)
        Traceback (most recent call last):
        RuntimeError: reinforce() was removed. ...
    """
    raise RuntimeError(
        "reinforce() was removed.\nUse tapegrad.distributions instead: the loss is minus the "
        "log-probability of the action, m.log_prob(action), times the reward."
    )


def _volatile(self: Tensor) -> bool:
    """False, with a warning: it is long gone.

    Example:
        >>> import tapegrad
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     tapegrad.ones(1).volatile
        False
    """
    warnings.warn("volatile was removed (Variable.volatile is always False)", stacklevel=2)
    return False


def _set_volatile(self: Tensor, value: Any) -> None:
    warnings.warn(
        "volatile was removed and now has no effect. Use `with tapegrad.no_grad():` instead.",
        stacklevel=2,
    )


_MEMBERS = {
    "H": property(_H),
    "_typed_storage": _typed_storage,
    "adjoint": adjoint,
    "as_subclass": _as_subclass,
    "conj_physical": conj_physical,
    "conj_physical_": conj_physical_,
    "diff": diff,
    "imag": property(imag),
    "is_conj": is_conj,
    "is_neg": is_neg,
    "is_same_size": is_same_size,
    "is_set_to": _is_set_to,
    "is_signed": is_signed,
    "mH": property(_mH),
    "map2_": _map2_,
    "map_": _map_,
    "narrow_copy": narrow_copy,
    "nonzero_static": nonzero_static,
    "reinforce": _reinforce,
    "resize": _resize,
    "resize_as": _resize_as,
    "storage": _storage,
    "storage_type": _storage_type,
    "untyped_storage": _untyped_storage,
    "volatile": property(_volatile, _set_volatile),
}
add_members(_MEMBERS)
