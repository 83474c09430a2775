"""Where tensors live, the CPU alone, and in which order of dimensions."""

from __future__ import annotations

__all__ = [
    "CPU",
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "device",
    "memory_format",
    "preserve_format",
]


class device:
    """The device of a tensor.

    Args:
        type: ``"cpu"``, ``"cpu:0"`` or another device.
        index: ignored, as there is one CPU device. Default: None.

    Raises:
        RuntimeError: for any other device.

    Example:
        >>> import tapegrad
        >>> tapegrad.device("cpu")
        device(type='cpu')
    """

    __slots__ = ("index", "type")

    def __init__(self, type: str | device, index: int | None = None) -> None:
        name, _, number = str(type).partition(":")
        if name != "cpu":
            raise RuntimeError(
                f"Expected cpu at start of device string: {type}. This package runs on the "
                "CPU only."
            )
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

    def __reduce__(self) -> tuple[type[device], tuple[str]]:
        return device, (str(self),)


CPU = device("cpu")


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
