"""`SummaryWriter`, over the package tensorboardX: ``pip install tapegrad[tensorboard]``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .._arrays import to_array
from .._C import Tensor

try:
    import tensorboardX
except ImportError as error:
    raise ImportError(
        "tapegrad.utils.tensorboard needs the package tensorboardX: "
        "pip install tapegrad[tensorboard]"
    ) from error

__all__ = ["SummaryWriter"]


def _array(value: Any) -> Any:
    """Tensors as arrays; inside of dicts, lists and tuples, too."""
    if isinstance(value, Tensor):
        return to_array(value.detach())
    if type(value) in (list, tuple):
        return type(value)(_array(item) for item in value)
    if type(value) is dict:
        return {key: _array(item) for key, item in value.items()}
    return value


def _taking_tensors(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return method(self, *_array(args), **_array(kwargs))

    return call


class SummaryWriter(tensorboardX.SummaryWriter):  # type: ignore[misc]
    """Writes what TensorBoard shows; its methods ``add_*`` take tensors.

    Args:
        log_dir: the folder. Default: None, one of its own in ``runs``.
        comment: the end of that folder's name. Default: ``""``.
        purge_step, max_queue, flush_secs, filename_suffix: as tensorboardX has them.

    Example:
        >>> import tempfile, tapegrad
        >>> from tapegrad.utils.tensorboard import SummaryWriter
        >>> with tempfile.TemporaryDirectory() as folder, SummaryWriter(folder) as writer:
        ...     _ = writer.add_scalar("loss", tapegrad.tensor(0.5), 1)
        ...     writer.add_histogram("weights", tapegrad.randn(10), 1)
    """

    def add_graph(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: the operators of a model are not written down."""


for _name in dir(tensorboardX.SummaryWriter):
    if _name.startswith("add_") and _name != "add_graph":
        setattr(SummaryWriter, _name, _taking_tensors(getattr(tensorboardX.SummaryWriter, _name)))
