"""Versions that compare as versions do, with strings and tuples."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["TorchVersion"]


def _key(version: Any) -> tuple[int, ...]:
    """The numbers of a version; zeros at its end do not count."""
    if isinstance(version, tuple | list):
        numbers = [int(part) for part in version]
    elif match := re.match(r"\s*v?(\d+(?:\.\d+)*)", str(version)):
        numbers = [int(part) for part in match[1].split(".")]
    else:
        raise ValueError(f"Invalid version: {str(version)!r}")
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


class TorchVersion(str):
    """A version that is a string and compares by its numbers.

    Example:
        >>> from tapegrad.torch_version import TorchVersion
        >>> TorchVersion("2.13.0") > "2.4", TorchVersion("2.13.0") >= (2, 0)
        (True, True)
    """

    __slots__ = ()

    def __lt__(self, other: Any) -> bool:
        return _key(self) < _key(other)

    def __le__(self, other: Any) -> bool:
        return _key(self) <= _key(other)

    def __gt__(self, other: Any) -> bool:
        return _key(self) > _key(other)

    def __ge__(self, other: Any) -> bool:
        return _key(self) >= _key(other)

    def __eq__(self, other: object) -> bool:
        try:
            return str(self) == str(other) or _key(self) == _key(other)
        except ValueError:
            return False

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__
