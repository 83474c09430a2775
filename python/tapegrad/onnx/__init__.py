"""Models as ONNX files: ``tapegrad.onnx.export(model, args, path)``.

The model runs once on example arguments, and the operators that it calls are written down, each as
ONNX nodes. Needs the package onnx (``pip install "tapegrad[onnx]"``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from ._record import OnnxExporterError, enlarged, recorded

__all__ = ["OnnxExporterError", "export"]

_OLDEST, _DEFAULT = 18, 18  # operator sets; 18 has axes of reductions as inputs


def export(
    model: Callable[..., Any],
    args: Any,
    f: str | os.PathLike[str] | IO[bytes],
    *,
    kwargs: dict[str, Any] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dynamic_axes: Mapping[str, Mapping[int, str] | Sequence[int]] | None = None,
    opset_version: int = _DEFAULT,
) -> None:
    """Write a model to an ONNX file.

    The model is run in evaluation mode and without gradients of its parameters. The file holds the
    operators that ran and the shapes that they had: loops are unrolled, branches are decided, and
    inputs have the sizes of the example, but for those that `dynamic_axes` names.

    Args:
        model: a module, or a function of tensors.
        args: a tensor or a tuple of arguments; tensors in them, also in tuples, lists and dicts,
            become inputs of the file.
        f: a path, or a file opened for writing bytes.
        kwargs: arguments by name.
        input_names: names of the inputs. Default: ``input_0``, ``input_1``, ...
        output_names: names of the outputs. Default: ``output_0``, ``output_1``, ...
        dynamic_axes: for each input by its name the axes whose size is any, as a list or with a
            name for the size, ``{"input_0": {0: "batch"}}``. The model runs a second time then, on
            larger inputs, and what differs has to be a size that ONNX can leave open. Axes of the
            same name have the same size; without names, all of the same size in the example.
        opset_version: the version of ONNX's operators, 18 or later. Default: 18.

    Raises:
        ModuleNotFoundError: if the package onnx is not installed.
        OnnxExporterError: if an operator has no counterpart, if the model decides by the values of
            tensors what to do, or if it does not work for any size; it is a RuntimeError. Nothing
            is written then.
        ValueError: if there are more names than inputs or outputs, for names or axes that are not
            there, or for another operator set.

    Example:
        >>> import io, tapegrad
        >>> model = tapegrad.nn.Sequential(tapegrad.nn.Linear(4, 8), tapegrad.nn.ReLU())
        >>> file = io.BytesIO()
        >>> tapegrad.onnx.export(model, tapegrad.randn(1, 4), file)
        >>> import onnx
        >>> [node.op_type for node in onnx.load_from_string(file.getvalue()).graph.node]
        ['Gemm', 'Relu']
    """
    from .._files.memory import opened

    try:
        from ._graph import Graph, names_of
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "tapegrad.onnx needs the package onnx: pip install 'tapegrad[onnx]'", name=error.name
        ) from error

    args = args if isinstance(args, tuple) else (args,)
    kwargs = kwargs or {}
    graph = Graph(opset_version, _OLDEST)
    trace = recorded(model, args, kwargs)
    if dynamic_axes:
        names = names_of(input_names, "input", len(trace.inputs))
        (larger, more), labels = enlarged((args, kwargs), names, dynamic_axes)
        content = graph.build(
            trace, input_names, output_names, recorded(model, larger, more), labels
        )
    else:
        content = graph.build(trace, input_names, output_names)
    with opened(f, "wb") as file:
        file.write(content)
