"""Anomaly detection: which operation's derivative produced the first NaN.

While it is on, every node remembers the Python stack of the forward call that made it.  When
a node fails or returns NaN in backward, a warning shows that stack and a `RuntimeError` names
the node.
"""

from __future__ import annotations

import warnings
from typing import Any

from tapegrad._C import (
    _set_anomaly_enabled,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
)

__all__ = ["detect_anomaly", "set_detect_anomaly"]


class detect_anomaly:
    """Context manager that looks for errors and NaN in the backward pass.

    Forward and backward should both be inside: forward to remember the lines, backward to
    look at the results.  It makes everything slower, and says so with a `UserWarning`.

    Args:
        check_nan: raise a `RuntimeError` when a node's backward returns NaN.  Infinities are
            no anomaly.  Default: True.

    Example::

        >>> import warnings
        >>> import tapegrad
        >>> warnings.simplefilter("ignore")
        >>> x = tapegrad.tensor([0.0], requires_grad=True)
        >>> with tapegrad.autograd.detect_anomaly():
        ...     try:
        ...         (tapegrad.log(x) * 0.0).sum().backward()
        ...     except RuntimeError as error:
        ...         print(error)
        Function 'LogBackward0' returned nan values in its 0th output.
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.prev = is_anomaly_enabled()
        self.prev_check_nan = is_anomaly_check_nan_enabled()
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. "
            "This mode will increase the runtime "
            "and should only be enabled for debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        _set_anomaly_enabled(True, self.check_nan)

    def __exit__(self, *args: Any) -> None:
        _set_anomaly_enabled(self.prev, self.prev_check_nan)


class set_detect_anomaly:
    """Switch anomaly detection on or off: as a function or as a context manager.

    The constructor acts at once and does not warn; the end of a ``with`` block brings the
    former state back.

    Args:
        mode: True switches on, False off.
        check_nan: as in `detect_anomaly`.  Default: True.

    Example::

        >>> import tapegrad
        >>> _ = tapegrad.autograd.set_detect_anomaly(True)
        >>> tapegrad.is_anomaly_enabled()
        True
        >>> _ = tapegrad.autograd.set_detect_anomaly(False)
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.prev = is_anomaly_enabled()
        self.prev_check_nan = is_anomaly_check_nan_enabled()
        _set_anomaly_enabled(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *args: Any) -> None:
        _set_anomaly_enabled(self.prev, self.prev_check_nan)
