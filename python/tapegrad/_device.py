"""Where tensors live: there is one device, the CPU."""

from __future__ import annotations

__all__ = ["CPU", "device"]


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
