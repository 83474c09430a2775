"""The memory of tensors as an object: a thin view for programs that ask for it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from . import _C
from ._C import Tensor
from ._device import CPU
from ._device import device as _device
from ._legacy import _TYPES

__all__ = [
    "BFloat16Storage",
    "BoolStorage",
    "ByteStorage",
    "CharStorage",
    "DoubleStorage",
    "FloatStorage",
    "HalfStorage",
    "IntStorage",
    "LongStorage",
    "ShortStorage",
    "Storage",
    "TypedStorage",
    "UntypedStorage",
    "is_storage",
]

_REMOVAL = (
    "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be the "
    "only storage class. This should only matter to you if you are using storages directly.  To "
    "access UntypedStorage directly, use tensor.untyped_storage() instead of tensor.storage()"
)
_warned = False  # once, as in PyTorch


class _Storage:
    """What both kinds share; `_elements` is a tensor over the whole memory."""

    _elements: Tensor  # in one dimension

    is_cuda = False
    is_sparse = False

    @property
    def device(self) -> _device:
        """The CPU."""
        return CPU

    def size(self) -> int:
        """The number of elements."""
        return self._elements.numel()

    def __len__(self) -> int:
        return self.size()

    def nbytes(self) -> int:
        """The number of bytes."""
        return self._elements.nbytes

    def element_size(self) -> int:
        """The number of bytes of an element."""
        return self._elements.element_size()

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return self._elements.data_ptr()

    def tolist(self) -> list[Any]:
        """The elements."""
        return list(self._elements.tolist())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def _bytes(self) -> Tensor:
        return self._elements.view(_C.uint8)

    def _place(self, index: Any) -> int:
        size = self.size()
        if isinstance(index, bool) or not isinstance(index, int):
            raise RuntimeError(f"can't index a {type(self)} with {type(index)}")
        if not -size <= index < size:
            raise IndexError(f"index {index} out of range for storage of size {size}")
        return index % size

    def fill_(self, value: Any) -> Any:
        """Set all elements; returns the storage."""
        self._elements.fill_(value)
        return self

    def copy_(self, source: Any, non_blocking: bool = False) -> Any:
        """Take the bytes of another storage; returns the storage.

        Raises:
            RuntimeError: if it has another number of them.
        """
        if source.nbytes() != self.nbytes():
            raise RuntimeError(
                f"size does not match, self was {self.nbytes()} bytes but src was "
                f"{source.nbytes()} bytes"
            )
        self._bytes().copy_(source._bytes())
        return self

    def cpu(self) -> Any:
        """The storage itself."""
        return self

    def resize_(self, size: int) -> NoReturn:
        """Refuses: a storage keeps its size; ``Tensor.resize_`` makes a tensor another one.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(
            "Trying to resize storage that is not resizable. Call resize_() of the tensor."
        )

    def resizable(self) -> bool:
        """False: see :meth:`resize_`."""
        return False

    def get_device(self) -> int:
        """-1, for the CPU."""
        return -1

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is type(self)
            and isinstance(other, _Storage)
            and self.data_ptr() == other.data_ptr()
            and self.nbytes() == other.nbytes()
            and self._elements.dtype is other._elements.dtype
        )

    def __hash__(self) -> int:
        return hash((self.data_ptr(), self.nbytes()))

    def _kind(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        lines = "\n".join(f" {value}" for value in self.tolist())
        return f"{lines or ' '}\n[{self._kind()} of size {self.size()}]"


class UntypedStorage(_Storage):
    """Memory as bytes.

    Args:
        size: the number of bytes, or a sequence of them. Default: none.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.tensor([1, 2], dtype=tapegrad.uint8)
        >>> memory = x.untyped_storage()
        >>> memory[0] = 7
        >>> x, memory.nbytes(), memory.data_ptr() == x.data_ptr()
        (tensor([7, 2], dtype=tapegrad.uint8), 2, True)
    """

    def __init__(self, size: int | Sequence[int] = 0, *, device: Any = None) -> None:
        if isinstance(size, int):
            self._elements = _C.empty(size, dtype=_C.uint8, device=device)
        else:
            self._elements = _C.tensor(size, dtype=_C.uint8, device=device)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return untyped_on(self._elements[index])
        return self._elements[self._place(index)].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        if not isinstance(value, int):
            raise RuntimeError(
                f"can only set storage content with a int types, but got {type(value).__name__} "
                "instead"
            )
        place = index if isinstance(index, slice) else self._place(index)
        self._elements[place] = value % 256

    def clone(self) -> UntypedStorage:
        """A copy."""
        return untyped_on(self._elements.clone())

    def untyped(self) -> UntypedStorage:
        """The storage itself."""
        return self

    def type(self) -> str:
        """The name of the class."""
        return "tapegrad.storage.UntypedStorage"

    def _kind(self) -> str:
        return "tapegrad.storage.UntypedStorage(device=cpu)"


def untyped_on(elements: Tensor) -> UntypedStorage:
    """A storage of these bytes."""
    made = UntypedStorage.__new__(UntypedStorage)
    made._elements = elements
    return made


class TypedStorage(_Storage):
    """Memory as numbers of a dtype.

    Args:
        *args: the number of elements, or a sequence of them. Default: none.
        wrap_storage: memory that it shares, instead.
        dtype: the dtype. Default: the default dtype.
        device: the CPU.

    Example:
        >>> import tapegrad
        >>> memory = tapegrad.TypedStorage([1, 2], dtype=tapegrad.int64)
        >>> memory[1] = 5
        >>> memory.tolist(), memory.nbytes()
        ([1, 5], 16)
    """

    def __init__(
        self,
        *args: Any,
        wrap_storage: UntypedStorage | None = None,
        dtype: _C.dtype | None = None,
        device: Any = None,
    ) -> None:
        dtype = _C.get_default_dtype() if dtype is None else dtype
        if wrap_storage is not None:
            whole = wrap_storage._elements
            count = whole.numel() // dtype.itemsize
            self._elements = whole[: count * dtype.itemsize].view(dtype)
        elif not args:
            self._elements = _C.empty(0, dtype=dtype, device=device)
        elif len(args) == 1 and isinstance(args[0], int) and not isinstance(args[0], bool):
            self._elements = _C.empty(args[0], dtype=dtype, device=device)
        elif len(args) == 1 and isinstance(args[0], Sequence) and not isinstance(args[0], str):
            self._elements = _C.tensor(args[0], dtype=dtype, device=device)
        else:
            kinds = ", ".join(str(type(arg)) for arg in args)
            raise TypeError(
                f"{type(self)}.__new__ received an invalid combination of arguments. Expected one "
                "of:\n * no arguments\n * (int size)\n * (Sequence data)\n * (*, UntypedStorage "
                f"wrap_storage)\nArgument type not recognized: {kinds}"
            )

    @property
    def dtype(self) -> _C.dtype:
        """The dtype of the elements."""
        return self._elements.dtype

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        return self._elements[self._place(index)].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        place = index if isinstance(index, slice) else self._place(index)
        self._elements[place] = value

    def clone(self) -> TypedStorage:
        """A copy."""
        return typed_on(self._elements.clone())

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return untyped_on(self._bytes())

    def type(self, dtype: _C.dtype | None = None) -> Any:
        """The name of the legacy class, or a storage with the elements converted to a dtype."""
        if dtype is None:
            return f"tapegrad.{self.pickle_storage_type()}"
        return self if dtype is self.dtype else typed_on(self._elements.to(dtype))

    def pickle_storage_type(self) -> str:
        """The name of the legacy class, without that of the package."""
        return _CLASSES[self.dtype].__name__

    def _kind(self) -> str:
        return f"tapegrad.storage.TypedStorage(dtype={self.dtype}, device=cpu)"

    def float(self) -> TypedStorage:
        """The elements as float32."""
        return self.type(_C.float32)

    def double(self) -> TypedStorage:
        """The elements as float64."""
        return self.type(_C.float64)

    def half(self) -> TypedStorage:
        """The elements as float16."""
        return self.type(_C.float16)

    def bfloat16(self) -> TypedStorage:
        """The elements as bfloat16."""
        return self.type(_C.bfloat16)

    def long(self) -> TypedStorage:
        """The elements as int64."""
        return self.type(_C.int64)

    def int(self) -> TypedStorage:
        """The elements as int32."""
        return self.type(_C.int32)

    def short(self) -> TypedStorage:
        """The elements as int16."""
        return self.type(_C.int16)

    def char(self) -> TypedStorage:
        """The elements as int8."""
        return self.type(_C.int8)

    def byte(self) -> TypedStorage:
        """The elements as uint8."""
        return self.type(_C.uint8)

    def bool(self) -> TypedStorage:
        """The elements as bools."""
        return self.type(_C.bool)


def typed_on(elements: Tensor) -> TypedStorage:
    """A storage of these elements."""
    made = TypedStorage.__new__(TypedStorage)
    made._elements = elements
    return made


class _LegacyMeta(type):
    """What ``FloatStorage`` and its like are: ``isinstance`` knows them by their dtype."""

    dtype: _C.dtype

    def __call__(cls, *args: Any, wrap_storage: UntypedStorage | None = None) -> TypedStorage:
        return TypedStorage(*args, wrap_storage=wrap_storage, dtype=cls.dtype)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, TypedStorage) and instance.dtype is cls.dtype


def _legacy(name: str, dtype: _C.dtype) -> _LegacyMeta:
    doc = f"""The type of storages of dtype {str(dtype).removeprefix("tapegrad.")}.

    Called with a size or with elements, it makes a :class:`TypedStorage`.

    Example:
        >>> import tapegrad
        >>> memory = tapegrad.{name}(3)
        >>> memory.size(), isinstance(memory, tapegrad.{name})
        (3, True)
    """
    return _LegacyMeta(name, (), {"__doc__": doc, "__module__": "tapegrad", "dtype": dtype})


_CLASSES = {
    kind.dtype: _legacy(kind.__name__.replace("Tensor", "Storage"), kind.dtype) for kind in _TYPES
}
BFloat16Storage = _CLASSES[_C.bfloat16]
BoolStorage = _CLASSES[_C.bool]
ByteStorage = _CLASSES[_C.uint8]
CharStorage = _CLASSES[_C.int8]
DoubleStorage = _CLASSES[_C.float64]
FloatStorage = _CLASSES[_C.float32]
HalfStorage = _CLASSES[_C.float16]
IntStorage = _CLASSES[_C.int32]
LongStorage = _CLASSES[_C.int64]
ShortStorage = _CLASSES[_C.int16]
Storage = FloatStorage


def is_storage(obj: Any, /) -> bool:
    """Whether an object is a storage.

    Example:
        >>> import tapegrad
        >>> tapegrad.is_storage(tapegrad.FloatStorage(2)), tapegrad.is_storage(tapegrad.zeros(2))
        (True, False)
    """
    return isinstance(obj, _Storage)


def storage_of(tensor: Tensor, warn: bool = False) -> TypedStorage:
    """The storage of a tensor, with its dtype."""
    global _warned
    if warn and not _warned:
        _warned = True
        warnings.warn(_REMOVAL, UserWarning, stacklevel=3)
    return typed_on(_C._whole_storage(tensor))


def storage_class(dtype: _C.dtype) -> _LegacyMeta:
    """The legacy class of a dtype."""
    return _CLASSES[dtype]
