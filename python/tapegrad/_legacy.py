"""The types of tensors that older programs name: one for each dtype."""

from __future__ import annotations

from typing import Any

from . import _C
from ._C import Tensor
from ._device import no_device, require_cpu

# The package exports these names.
__all__ = [
    "BFloat16Tensor",
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
    "set_default_tensor_type",
]


class TensorType(type):
    """What ``FloatTensor`` and its like are: they make tensors, and ``isinstance`` knows them.

    They are no subclasses of ``Tensor``: a tensor of the dtype is an instance of its type.
    """

    dtype: _C.dtype

    def __call__(cls, *args: Any, **kwargs: Any) -> Tensor:
        require_cpu(kwargs.get("device"))
        return _C._legacy_tensor(cls.dtype, args, kwargs)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype


class AbsentTensorType(type):
    """A type of tensors that live elsewhere: no tensor is an instance of it."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        kind = cls.__module__.rpartition(".")[2]
        raise TypeError(f"type {cls.__module__}.{cls.__name__} not available. {no_device(kind)}")

    def __instancecheck__(cls, instance: Any) -> bool:
        return False


def absent_types(kind: str) -> dict[str, Any]:
    """The types of tensors on devices that are not here, by name.

    >>> from tapegrad._legacy import absent_types
    >>> isinstance(_C.zeros(1), absent_types("cuda")["FloatTensor"])
    False
    """
    doc = "A type that no tensor has: tensors live on the CPU."
    members = {"__doc__": doc, "__module__": f"tapegrad.{kind}"}
    names = [name for name in __all__ if name.endswith("Tensor")]
    return {name: AbsentTensorType(name, (), members) for name in names}


def _make(name: str, dtype: _C.dtype) -> TensorType:
    short = str(dtype).removeprefix("tapegrad.")
    doc = f"""The type of the tensors of dtype {short}.

    Called with sizes it gives a tensor of that size that is not initialised; with data, one that
    holds them; with a tensor of this type, an alias of it. ``tapegrad.tensor`` and
    ``tapegrad.empty`` say which is meant.

    Example:
        >>> import tapegrad
        >>> tapegrad.{name}([0, 1]).dtype, tapegrad.{name}(2, 3).shape
        (tapegrad.{short}, tapegrad.Size([2, 3]))
        >>> isinstance(tapegrad.zeros(2, dtype=tapegrad.{short}), tapegrad.{name})
        True
    """
    return TensorType(name, (), {"__doc__": doc, "__module__": "tapegrad", "dtype": dtype})


FloatTensor = _make("FloatTensor", _C.float32)
DoubleTensor = _make("DoubleTensor", _C.float64)
HalfTensor = _make("HalfTensor", _C.float16)
BFloat16Tensor = _make("BFloat16Tensor", _C.bfloat16)
LongTensor = _make("LongTensor", _C.int64)
IntTensor = _make("IntTensor", _C.int32)
ShortTensor = _make("ShortTensor", _C.int16)
CharTensor = _make("CharTensor", _C.int8)
ByteTensor = _make("ByteTensor", _C.uint8)
BoolTensor = _make("BoolTensor", _C.bool)

_TYPES: list[TensorType] = [
    kind for kind in list(globals().values()) if isinstance(kind, TensorType)
]


def type_name(dtype: _C.dtype) -> str:
    """The name of the type of a dtype.

    >>> import tapegrad
    >>> type_name(tapegrad.float32)
    'tapegrad.FloatTensor'
    """
    return next(f"tapegrad.{kind.__name__}" for kind in _TYPES if kind.dtype is dtype)


def scalar_name(dtype: _C.dtype) -> str:
    """The name of a dtype in some of PyTorch's messages.

    >>> import tapegrad
    >>> scalar_name(tapegrad.int64)
    'Long'
    """
    return type_name(dtype).partition(".")[2].removesuffix("Tensor")


def dtype_of(kind: Any) -> Any:
    """The dtype that a type or its name stands for; what is neither is given back.

    >>> import tapegrad
    >>> dtype_of("tapegrad.LongTensor"), dtype_of(tapegrad.LongTensor), dtype_of(tapegrad.int64)
    (tapegrad.int64, tapegrad.int64, tapegrad.int64)
    """
    if isinstance(kind, TensorType):
        return kind.dtype
    if isinstance(kind, AbsentTensorType):
        kind = f"{kind.__module__}.{kind.__name__}"
    if kind is Tensor:
        return _C.get_default_dtype()
    if isinstance(kind, str):
        library, _, name = kind.rpartition(".")
        for known in _TYPES:
            if known.__name__ == name and library in ("tapegrad", "torch"):
                return known.dtype
        if library.endswith(".cuda"):
            raise no_device("cuda")
        raise ValueError(f"invalid type: '{kind}'")
    return kind


def set_default_tensor_type(t: Any, /) -> None:
    """Set the default dtype by the type of its tensors, or by the name of that.

    ``tapegrad.set_default_dtype`` is the newer form.

    Raises:
        TypeError: if it is not the type of a floating-point dtype.

    Example:
        >>> import tapegrad
        >>> tapegrad.set_default_tensor_type(tapegrad.DoubleTensor)
        >>> tapegrad.tensor(1.0).dtype
        tapegrad.float64
        >>> tapegrad.set_default_tensor_type("tapegrad.FloatTensor")
    """
    if isinstance(t, str):
        try:
            dtype = dtype_of(t)
        except ValueError as error:
            raise TypeError(str(error)) from None
    elif isinstance(t, TensorType | AbsentTensorType):
        dtype = dtype_of(t)
    else:
        raise TypeError(
            "invalid type object: only floating-point types are supported as the default type"
        )
    if not dtype.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    _C.set_default_dtype(dtype)
