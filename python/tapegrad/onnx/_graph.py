"""The graph of an ONNX file, as converters of operators write it."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .. import _C
from .._C import Tensor
from .._version import __version__
from ._operators import CONVERTERS
from ._record import Call, OnnxExporterError, Trace

__all__ = ["Graph", "names_of"]

_TYPES = {
    _C.bool: TensorProto.BOOL,
    _C.uint8: TensorProto.UINT8,
    _C.int8: TensorProto.INT8,
    _C.int16: TensorProto.INT16,
    _C.int32: TensorProto.INT32,
    _C.int64: TensorProto.INT64,
    _C.float16: TensorProto.FLOAT16,
    _C.bfloat16: TensorProto.BFLOAT16,
    _C.float32: TensorProto.FLOAT,
    _C.float64: TensorProto.DOUBLE,
}


class Graph:
    """Nodes, constants and the names of values.

    Args:
        opset: the version of ONNX's operators.
        oldest: the first version that the converters know.

    Raises:
        ValueError: for a version that neither they nor the package onnx knows.
    """

    def __init__(self, opset: int, oldest: int) -> None:
        newest = onnx.defs.onnx_opset_version()
        if not oldest <= opset <= newest:
            raise ValueError(
                f"opset_version must be between {oldest} and {newest} (of the installed package "
                f"onnx), but got {opset}"
            )
        self.opset = opset
        self.call: Call  # the one that is converted
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._names: dict[int, str | None] = {}  # of the numbers of values
        self._constant_names: dict[Any, str] = {}
        self._kept: list[Any] = []  # what is named by its id
        self._count = 0
        self._given_names: dict[int, str] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}  # of the first input of a node, in the run

    # ------------------------------------------------------------------ for converters

    def node(self, kind: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node.

        Args:
            kind: the type of the node.
            inputs: tensors of the run, names of values, NumPy arrays or None.
            outputs: how many results it has.
            attributes: those of the node; without the ones that are None.

        Returns:
            The name of the result, or a list of names.
        """
        names = [self.name(x) for x in inputs]
        while names and not names[-1]:
            names.pop()
        made = [self._new(kind.lower()) for _ in range(outputs)]
        if inputs and isinstance(inputs[0], Tensor):
            self._shapes[made[0]] = tuple(inputs[0].shape)
        given = {key: value for key, value in attributes.items() if value is not None}
        self._nodes.append(helper.make_node(kind, names, made, **given))
        return made[0] if outputs == 1 else made

    def name(self, x: Any) -> str:
        """The name of a value; what is none of the graph becomes a constant."""
        if x is None:
            return ""
        if isinstance(x, str):
            return x
        if isinstance(x, np.ndarray):
            if x.dtype == np.int64 and x.ndim:  # sizes, which may differ for other inputs
                return self._add_constant(self._new("constant"), x)
            key = (x.tobytes(), x.dtype.str, x.shape)
            if key not in self._constant_names:
                self._constant_names[key] = self._add_constant(self._new("constant"), x)
            return self._constant_names[key]
        number = self.call.arguments_known.get(id(x))
        if number is not None:
            return self._named(number)
        if x._version != self.call.constants.get(id(x), x._version):
            raise OnnxExporterError(
                f"a constant of shape {tuple(x.shape)} was changed after it had been used"
            )
        if id(x) not in self._constant_names:
            name = self._given_names.get(id(x)) or self._new("constant")
            self._constant_names[id(x)] = self._add_tensor(name, x)
            self._kept.append(x)
        return self._constant_names[id(x)]

    def _named(self, number: int) -> str:
        name = self._names[number]
        if name is None:
            raise OnnxExporterError(
                "the places that a pool gives are used, which ONNX counts in another way"
            )
        return name

    def ints(self, *values: int) -> np.ndarray:
        """Sizes, axes and the like, which nodes take as a constant."""
        return np.array(values, np.int64)

    def number(self, value: Any, like: _C.dtype) -> Any:
        """A number, or a tensor, as a value of a dtype."""
        if isinstance(value, Tensor):
            return self.cast(value, like)
        return (
            _C.tensor(value, dtype=like)
            if like is _C.bfloat16
            else np.array(value, str(like).rpartition(".")[2])
        )

    def cast(self, x: Any, dtype: _C.dtype, of: _C.dtype | None = None) -> Any:
        """A tensor of the run as a value of a dtype, or a named value of the dtype `of`."""
        current = x.dtype if isinstance(x, Tensor) else of
        return x if current is dtype else self.node("Cast", x, to=_TYPES[dtype])

    @property
    def result(self) -> Tensor:
        """What the operator gave in the run."""
        return self.call.results[0]

    def reshape(self, x: Any, shape: Sequence[int]) -> Any:
        """Another shape."""
        return self.node("Reshape", x, self.ints(*shape), allowzero=int(0 in shape) or None)

    def refuse(self, reason: str) -> OnnxExporterError:
        """The error of what cannot be written."""
        return OnnxExporterError(f"the operator '{self.call.operator}' {reason}")

    # ------------------------------------------------------------------ the whole

    def build(
        self,
        trace: Trace,
        input_names: Sequence[str] | None,
        output_names: Sequence[str] | None,
        other: Trace | None = None,
        labels: Mapping[tuple[int, int], str] | None = None,
    ) -> bytes:
        """The content of a file.

        Args:
            trace: the run on the example.
            input_names, output_names: names of the first inputs and outputs.
            other: a run on inputs of other sizes, for a file that takes any size there.
            labels: names of the sizes that vary, by those in both runs.
        """
        inputs = names_of(input_names, "input", len(trace.inputs))
        outputs = names_of(output_names, "output", len(trace.outputs))
        self._fill(trace, inputs, outputs)
        varying = {}
        if other is not None:
            second = Graph(self.opset, self.opset)
            second._fill(other, inputs, outputs)
            varying = self._compare(second)
        self._drop_unused(outputs)
        for node in self._nodes:
            for place, name in enumerate(node.input):
                if name in varying:
                    node.input[place] = self._of_any_size(node, place, varying[name])
        shapes = [_shapes(values, labels or {}) for values in zip(
            [*trace.inputs, *trace.outputs],
            [*(other or trace).inputs, *(other or trace).outputs],
            strict=True,
        )]  # fmt: skip
        values = [
            helper.make_tensor_value_info(name, _TYPES[tensor.dtype], shape)
            for name, (_, tensor), shape in zip(
                [*inputs, *outputs], [*trace.inputs, *trace.outputs], shapes, strict=True
            )
        ]
        used = {name for node in self._nodes for name in node.input}
        graph = helper.make_graph(
            self._nodes,
            "tapegrad",
            values[: len(inputs)],
            values[len(inputs) :],
            [value for name, value in self._constants.items() if name in used],
        )
        opset = helper.make_opsetid("", self.opset)
        model = helper.make_model(
            graph,
            opset_imports=[opset],
            producer_name="tapegrad",
            producer_version=__version__,
            ir_version=helper.find_min_ir_version_for([opset]),
        )
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString()
        return content

    def _fill(self, trace: Trace, inputs: list[str], outputs: list[str]) -> None:
        """Add the nodes of a run."""
        taken = {*inputs, *outputs}
        self._given_names = {k: name for k, name in trace.names.items() if name not in taken}
        self._taken = {*taken, *trace.names.values()}
        self._names.update(zip((number for number, _ in trace.inputs), inputs, strict=True))
        for call in trace.calls:
            self._convert(call)
        for name, (known, tensor) in zip(outputs, trace.outputs, strict=True):
            source = self.name(tensor) if known is None else self._named(known)
            self._nodes.append(helper.make_node("Identity", [source], [name]))

    # ------------------------------------------------------------------ sizes that vary

    def _compare(self, other: Graph) -> dict[str, tuple[Any, Any, Graph]]:
        """The constants that differ in a run on other sizes, with both values.

        Raises:
            OnnxExporterError: if the nodes themselves differ.
        """
        for a, b in itertools.zip_longest(self._nodes, other._nodes):
            if a != b:
                kind = (a or b).op_type
                raise OnnxExporterError(
                    f"what the model does depends on a size in dynamic_axes: a node '{kind}' "
                    "differs with another size"
                )
        return {
            name: (numpy_helper.to_array(a), numpy_helper.to_array(other._constants[name]), other)
            for name, a in self._constants.items()
            if a != other._constants[name]
        }

    def _of_any_size(self, node: Any, place: int, values: tuple[Any, Any, Graph]) -> str:
        """A constant that does for any size what two did for two sizes; of shapes there is one.

        Raises:
            OnnxExporterError: if there is none.
        """
        first, second, other = values
        alike = first.dtype == second.dtype == np.int64 and first.shape == second.shape
        changed = np.flatnonzero(first != second) if alike else np.empty(0, np.int64)
        shape = first.copy()
        if node.op_type == "Reshape" and place == 1 and len(changed) == 1 and -1 not in shape:
            shape[changed] = -1  # what is left
            return self._add_constant(self._new("constant"), shape)
        if node.op_type == "Expand" and place == 1 and len(changed):
            result = node.output[0]
            sizes, others = self._shapes.get(result, ()), other._shapes.get(result, ())
            ends = [int(i) - len(shape) for i in changed]
            if len(sizes) >= -min(ends) and all(
                sizes[i] == first[i] and others[i] == second[i] for i in ends
            ):
                shape[changed] = 1  # the size that it has already
                return self._add_constant(self._new("constant"), shape)
        raise OnnxExporterError(
            f"a node '{node.op_type}' has a constant that depends on a size in dynamic_axes"
        )

    def _convert(self, call: Call) -> None:
        self.call = call
        # What happens in place gives a value, too: its tensor has another number afterwards.
        name = call.operator
        convert = CONVERTERS.get(name) or CONVERTERS.get(name.removesuffix("_"))
        if convert is None:
            raise OnnxExporterError(f"the operator '{name}' has no counterpart in ONNX here")
        try:
            inspect.signature(convert).bind(self, *call.args, **call.kwargs)
        except TypeError as error:  # `out=`, say
            raise self.refuse(f"has arguments that cannot be written: {error}") from None
        made = convert(self, *call.args, **call.kwargs)
        made = made if isinstance(made, (list, tuple)) else [made]
        for number, value in zip(call.results_known, made, strict=True):
            self._names[number] = None if value is None else self.name(value)

    def _drop_unused(self, outputs: list[str]) -> None:
        """Leave out what no output depends on, and nodes that only rename for an output."""
        needed, kept = set(outputs), []
        for node in reversed(self._nodes):
            if needed & set(node.output):
                needed.update(node.input)
                kept.append(node)
        self._nodes = kept[::-1]
        makers = {name: node for node in self._nodes for name in node.output}
        users = [name for node in self._nodes for name in node.input]
        for node in list(self._nodes):
            if node.op_type == "Identity" and node.output[0] in outputs:
                source = node.input[0]
                if source in makers and users.count(source) == 1 and source not in outputs:
                    maker = makers[source]
                    maker.output[list(maker.output).index(source)] = node.output[0]
                    self._nodes.remove(node)

    def _new(self, kind: str) -> str:
        self._count += 1
        name = f"{kind}_{self._count}"
        return name if name not in self._taken else self._new(kind)

    def _add_constant(self, name: str, values: np.ndarray) -> str:
        self._constants[name] = numpy_helper.from_array(values, name)
        return name

    def _add_tensor(self, name: str, tensor: Tensor) -> str:
        values = tensor.detach()
        if values.dtype is _C.bfloat16:
            raw = values.contiguous().view(_C.int16).numpy().tobytes()
            self._constants[name] = helper.make_tensor(
                name, TensorProto.BFLOAT16, list(values.shape), raw, raw=True
            )
            return name
        return self._add_constant(name, np.ascontiguousarray(values.numpy()).reshape(values.shape))


def names_of(given: Sequence[str] | None, kind: str, count: int) -> list[str]:
    """The names of inputs or outputs: those that are given, and numbers for the rest."""
    given = list(given or ())
    if len(given) > count:
        raise ValueError(f"{len(given)} names for {count} {kind}s")
    return given + [f"{kind}_{i}" for i in range(len(given), count)]


def _shapes(values: Any, labels: Mapping[tuple[int, int], str]) -> list[Any]:
    """The sizes of an input or output; names for those that differ in two runs."""
    (_, tensor), (_, other) = values
    return [
        n if n == m else labels.get((n, m), f"size_{n}_{m}")
        for n, m in zip(tensor.shape, other.shape, strict=True)
    ]
