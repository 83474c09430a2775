"""Where tensors live, the CPU alone, and in which order of dimensions."""

from __future__ import annotations

from typing import Any

__all__ = [
    "CPU",
    "NO_ACCELERATOR",
    "NoDeviceError",
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "device",
    "layout",
    "memory_format",
    "no_device",
    "preserve_format",
    "require_cpu",
    "strided",
]


# The types of devices that programs may name; tensors live on the first.
_TYPES = (
    *("cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga"),
    *("maia", "xla", "lazy", "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone"),
)
NO_ACCELERATOR = "Cannot access accelerator device when none is available."


class device:
    """The device of a tensor, or the name of one that is not here.

    As a context manager it chooses where tensors are made: the CPU.

    Args:
        type: a type such as ``"cpu"`` or ``"cuda"``, type and index, ``"cuda:0"``, or a device.
        index: the number of the device, which is compared and printed. Default: None.

    Raises:
        RuntimeError: for a name that is none of a device, a number alone (of an accelerator, and
            there is none), and as a context manager for all but the CPU.

    Example:
        >>> import tapegrad
        >>> tapegrad.device("cuda" if tapegrad.cuda.is_available() else "cpu")
        device(type='cpu')
        >>> tapegrad.device("cuda", 1) == tapegrad.device("cuda:1")
        True
    """

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: str | device, index: int | None = None) -> None:
        if isinstance(type, device):
            self.type, self.index = type.type, type.index
            return
        if isinstance(type, int):
            raise RuntimeError(NO_ACCELERATOR)
        if not isinstance(type, str):
            raise TypeError(
                f"device(): argument 'type' (position 1) must be str or tapegrad.device, not "
                f"{type.__class__.__name__}"
            )
        if not type:
            raise RuntimeError("Device string must not be empty")
        name, colon, number = type.partition(":")
        if name not in _TYPES:
            raise RuntimeError(
                f"Expected one of {', '.join(_TYPES)} device type at start of device string: {name}"
            )
        if colon and (not number.isdecimal() or str(int(number)) != number):
            raise RuntimeError(f"Invalid device string: '{type}'")
        if number and index is not None:
            raise RuntimeError(
                "type (string) must not include an index because index was passed explicitly: "
                f"{type}"
            )
        if index is not None and index < 0:
            raise RuntimeError("Device index must not be negative")
        self.type = name
        self.index = int(number) if number else index

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return device, (str(self),)

    def __enter__(self) -> device:
        require_cpu(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass


CPU = device("cpu")


class NoDeviceError(RuntimeError, AssertionError):
    """There is no such device. PyTorch raises one of the two, depending on the device."""


def no_device(kind: str) -> NoDeviceError:
    """The error of what needs a type of devices.

    >>> from tapegrad._device import no_device
    >>> str(no_device("cuda"))
    'tapegrad not compiled with CUDA enabled. This package runs on the CPU only.'
    """
    return NoDeviceError(
        f"tapegrad not compiled with {kind.upper()} enabled. This package runs on the CPU only."
    )


def require_cpu(place: Any) -> None:
    """Raise unless tensors can live on a device; None stands for the default."""
    if place is None or place is CPU:
        return
    kind = (place if isinstance(place, device) else device(place)).type
    if kind != "cpu":
        raise no_device(kind)


class layout:
    """How the elements of a tensor are stored.

    ``strided``, the only one here: element after element, at the distances that ``stride()`` tells.

    Example:
        >>> import tapegrad
        >>> tapegrad.zeros(2).layout, isinstance(tapegrad.strided, tapegrad.layout)
        (tapegrad.strided, True)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "tapegrad.strided"

    def __reduce__(self) -> str:
        return "strided"


strided = layout()


class memory_format:
    """An order of dimensions in memory.

    ``contiguous_format``: that of the dimensions, the last one fastest. ``channels_last``: of four
    dimensions, and ``channels_last_3d``, of five, the channels (dimension 1) fastest.
    ``preserve_format``: the one that the tensor has.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.ones(2, 3).T
        >>> x.clone().stride(0), x.clone(memory_format=tapegrad.contiguous_format).stride(0)
        (1, 2)
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"tapegrad.{self._name}"

    def __reduce__(self) -> str:
        return self._name


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
