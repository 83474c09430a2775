"""Comparisons for tests: `assert_close`."""

from __future__ import annotations

import cmath
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import _C
from ._C import Tensor

__all__ = ["assert_allclose", "assert_close"]

# Relative and absolute tolerance; what is exact has none.
_TOLERANCES = {
    _C.float16: (1e-3, 1e-5),
    _C.bfloat16: (1.6e-2, 1e-5),
    _C.float32: (1.3e-6, 1e-5),
    _C.float64: (1e-7, 1e-7),
}
_PYTHON_DTYPES = {float: _C.float64, int: _C.int64}
_Message = str | Callable[[str], str] | None


class _Options:
    """What `assert_close` was told, for all pairs of a structure."""

    def __init__(
        self,
        allow_subclasses: bool,
        rtol: float | None,
        atol: float | None,
        equal_nan: bool,
        check_dtype: bool,
        check_stride: bool,
    ) -> None:
        if (rtol is None) != (atol is None):
            raise ValueError(
                "Both 'rtol' and 'atol' must be either specified or omitted, but got no "
                f"{'rtol' if rtol is None else 'atol'}."
            )
        self.allow_subclasses = allow_subclasses
        self.rtol, self.atol = rtol, atol
        self.equal_nan = equal_nan
        self.check_dtype = check_dtype
        self.check_stride = check_stride

    def tolerances(self, *dtypes: Any) -> tuple[float, float]:
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        found = [_TOLERANCES.get(dtype, (0.0, 0.0)) for dtype in dtypes]
        return max(r for r, _ in found), max(a for _, a in found)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: _Message = None,
) -> None:
    """Raise unless tensors, numbers or structures of them are close.

    They are where ``abs(actual - expected) <= atol + rtol * abs(expected)`` for all elements.

    Args:
        actual: a tensor or array of any shape, a number, None, or a sequence or mapping of these.
        expected: what it should be.
        allow_subclasses: False asks for the same type. Default: True.
        rtol, atol: the tolerances, both or none. Default: None, by the dtype: (1.3e-6, 1e-5) for
            float32, (1e-7, 1e-7) for float64 and Python's numbers, (1e-3, 1e-5) for float16,
            (1.6e-2, 1e-5) for bfloat16, and zero for integers and bools.
        equal_nan: whether NaN equals NaN. Default: False.
        check_device, check_layout: ignored, as all tensors are alike.
        check_dtype: False converts to the common dtype. Default: True.
        check_stride: whether strides have to be the same. Default: False.
        msg: the message of the error, or a function that makes it of the one here. Default: None.

    Raises:
        AssertionError: if they differ.
        TypeError: if there is something that cannot be compared.
        ValueError: if one of `rtol` and `atol` is given alone.

    Example:
        >>> import tapegrad
        >>> from tapegrad.testing import assert_close
        >>> assert_close(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([1.0, 2.0 + 1e-6]))
        >>> assert_close([1.0, 2.0], [1.0, 2.5])
        Traceback (most recent call last):
        AssertionError: Scalars are not close!
        <BLANKLINE>
        Expected 2.5 but got 2.0.
        Absolute difference: 0.5 (up to 1e-07 allowed)
        Relative difference: 0.2 (up to 1e-07 allowed)
        <BLANKLINE>
        The failure occurred for item [1]
    """
    options = _Options(allow_subclasses, rtol, atol, equal_nan, check_dtype, check_stride)
    found = _difference(actual, expected, options, "")
    if found is not None:
        raise AssertionError(msg(found) if callable(msg) else msg or found) from None


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """The older form of `assert_close`, which does not compare dtypes.

    Raises:
        AssertionError: if they differ.
    """
    warnings.warn(
        "`tapegrad.testing.assert_allclose()` is deprecated. Please use "
        "`tapegrad.testing.assert_close()` instead.",
        FutureWarning,
        stacklevel=2,
    )
    if rtol is None and atol is None:
        dtypes = [x.dtype if isinstance(x, Tensor) else _C.float64 for x in (actual, expected)]
        rtol = max(1e-5 if dtype == _C.float64 else 1e-4 for dtype in dtypes)
        atol = max(1e-8 if dtype == _C.float64 else 1e-5 for dtype in dtypes)
    actual, expected = (x if isinstance(x, Tensor) else _C.tensor(x) for x in (actual, expected))
    assert_close(
        *(actual, expected),
        rtol=rtol,
        atol=atol,
        equal_nan=equal_nan,
        check_dtype=False,
        msg=msg or None,
    )


# ------------------------------------------------------------------------------ structures


def _difference(actual: Any, expected: Any, options: _Options, place: str) -> str | None:
    """What differs, in words; None where nothing does."""
    if _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            return _at(
                place,
                f"The length of the sequences mismatch: {len(actual)} != {len(expected)}",
            )
        keys: Any = range(len(actual))
    elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if set(actual) != set(expected):
            missing = sorted(set(expected) - set(actual), key=str)
            additional = sorted(set(actual) - set(expected), key=str)
            return _at(
                place,
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {missing}\n"
                f"Additional keys in the actual mapping: {additional}",
            )
        keys = expected
    else:
        found = _pair(actual, expected, options)
        return None if found is None else _at(place, found)
    for key in keys:
        found = _difference(actual[key], expected[key], options, f"{place}[{key!r}]")
        if found is not None:
            return found
    return None


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _at(place: str, text: str) -> str:
    return f"{text}\n\nThe failure occurred for item {place}" if place else text


def _pair(actual: Any, expected: Any, options: _Options) -> str | None:
    if actual is None or expected is None:
        return None if actual is expected else f"None mismatch: {actual} is not {expected}"
    bools = (bool, np.bool_)
    if isinstance(actual, bools) and isinstance(expected, bools):
        same = bool(actual) == bool(expected)
        return None if same else f"Booleans mismatch: {actual} is not {expected}"
    numbers = (int, float, complex, np.number, np.bool_)
    if isinstance(actual, numbers) and isinstance(expected, numbers):
        return _numbers(actual, expected, options)
    likes = (Tensor, np.ndarray)
    if not isinstance(actual, likes) or not isinstance(expected, likes):
        raise TypeError(
            "No comparison pair was able to handle inputs of type "
            f"{type(actual)} and {type(expected)}."
        )
    if not options.allow_subclasses and type(actual) is not type(expected):
        return (
            "Except for scalars, type equality is required if allow_subclasses=False, but got "
            f"{type(actual)} and {type(expected)} instead."
        )
    return _tensors(_C.as_tensor(actual).detach(), _C.as_tensor(expected).detach(), options)


# ------------------------------------------------------------------------------ pairs


def _numbers(actual: Any, expected: Any, options: _Options) -> str | None:
    actual, expected = (x.item() if isinstance(x, np.generic) else x for x in (actual, expected))
    if options.check_dtype and type(actual) is not type(expected):
        return f"The (d)types do not match: {type(actual)} != {type(expected)}."
    rtol, atol = options.tolerances(
        *(_PYTHON_DTYPES.get(type(x), _C.float64) for x in (actual, expected))
    )
    if actual == expected or (options.equal_nan and cmath.isnan(actual) and cmath.isnan(expected)):
        return None
    absolute = abs(actual - expected)
    if cmath.isfinite(absolute) and absolute <= atol + rtol * abs(expected):
        return None
    relative = float("inf") if expected == 0 else abs(absolute / expected)
    return _scalars(actual, expected, absolute, relative, rtol, atol)


def _scalars(
    actual: Any, expected: Any, absolute: Any, relative: Any, rtol: float, atol: float
) -> str:
    kind, lines = _words(rtol, atol)
    return (
        f"Scalars are not {kind}!\n\nExpected {expected} but got {actual}.\n"
        f"Absolute difference: {absolute}{lines[0]}\n"
        f"Relative difference: {relative}{lines[1]}"
    )


def _words(rtol: float, atol: float) -> tuple[str, tuple[str, str]]:
    if rtol == 0 and atol == 0:
        return "equal", ("", "")
    return "close", (f" (up to {atol} allowed)", f" (up to {rtol} allowed)")


def _tensors(actual: Tensor, expected: Tensor, options: _Options) -> str | None:
    attributes = ["shape", *(["dtype"] if options.check_dtype else [])]
    for name in attributes:
        values = getattr(actual, name), getattr(expected, name)
        if values[0] != values[1]:
            return f"The values for attribute '{name}' do not match: {values[0]} != {values[1]}."
    if options.check_stride and actual.stride() != expected.stride():
        return (
            "The values for attribute 'stride()' do not match: "
            f"{actual.stride()} != {expected.stride()}."
        )
    rtol, atol = options.tolerances(actual.dtype, expected.dtype)
    common = _C.promote_types(actual.dtype, expected.dtype)
    wide = _C.float64 if common.is_floating_point else _C.int64
    actual, expected = actual.to(common).to(wide), expected.to(common).to(wide)
    close = _C.isclose(actual, expected, rtol=rtol, atol=atol, equal_nan=options.equal_nan)
    if bool(close.all()):
        return None
    wrong, count = int((~close).sum()), actual.numel()
    absolute = (actual - expected).abs()
    relative = absolute / expected.abs()
    # What is close counts as no difference: infinities that are equal have none that is a number.
    worst = [_greatest(_C.where(close, 0, x), actual.dim()) for x in (absolute, relative)]
    if actual.dim() == 0:
        return _scalars(actual.item(), expected.item(), worst[0][0], worst[1][0], rtol, atol)
    kind, lines = _words(rtol, atol)
    return (
        f"Tensor-likes are not {kind}!\n\n"
        f"Mismatched elements: {wrong} / {count} ({wrong / count:.1%})\n"
        f"Greatest absolute difference: {worst[0][0]} at index {worst[0][1]}{lines[0]}\n"
        f"Greatest relative difference: {worst[1][0]} at index {worst[1][1]}{lines[1]}"
    )


def _greatest(values: Tensor, dims: int) -> tuple[Any, tuple[int, ...]]:
    """The greatest value and its index."""
    flat = values.reshape(-1)
    place = int(flat.argmax())
    index = tuple(int(i) for i in np.unravel_index(place, tuple(values.shape))) if dims else ()
    return flat[place].item(), index
