"""Which operation made the first NaN or infinity out of finite numbers."""

from __future__ import annotations

from typing import Any

import tapegrad
from tapegrad import _C
from tapegrad._C import Node, Tensor
from tapegrad._explanation import Explanation, bullet, place_of
from tapegrad._gradient_paths import graph_of, is_leaf_node, operation

_CHAIN = 6  # operations shown between the fault and the loss
_FEW = 6  # elements shown of what an operation reduces

# Operations that are computed once more where their values were not saved.
_UNARY = {
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Digamma", "Erf"),
    *("Exp", "Exp2", "Expm1", "Lgamma", "Log", "Log10", "Log1p", "Log2", "Neg", "Reciprocal"),
    *("Relu", "Rsqrt", "Sigmoid", "Sin", "Sinh", "Sqrt", "Square", "Tan", "Tanh"),
}
_BINARY = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Pow": "pow", "Atan2": "atan2"}
_REDUCTIONS = {"Sum": "sum", "Mean": "mean"}
_SPREADS = {"Std": "std", "Var": "var"}
_SUMS = ("self: grad, other: grad", "self: grad, other: -grad")
_HIDING = ("Where", "MaskedFill")

_ADVICE = {
    "Log": "Keep its input away from 0: clamp(min=eps), log1p, or log_softmax of the scores.",
    "Log2": "Keep its input away from 0: clamp(min=eps).",
    "Log10": "Keep its input away from 0: clamp(min=eps).",
    "Log1p": "Keep its input above -1.",
    "Sqrt": "The slope of a square root at 0 is infinite: (x + eps).sqrt().",
    "Rsqrt": "Add a small number under the root: (x + eps).rsqrt().",
    "LinalgVectorNorm": "The slope of a norm at 0 is not defined: (x.square().sum() + eps).sqrt().",
    "Div": "Keep the divisor away from 0: x / (y + eps), or choose it by where before dividing.",
    "Reciprocal": "Keep the divisor away from 0: 1 / (y + eps).",
    "Exp": "exp overflows above 88.7 in float32: subtract the maximum, or use logsumexp.",
    "Std": "The standard deviation of one element is not defined: correction=0.",
    "Var": "The variance of one element is not defined: correction=0.",
    "Pow": "The slope of x ** p for p < 1 is infinite at 0: (x + eps) ** p.",
    "Atan2": "The angle of (0, 0) has no slope: keep one of the two away from 0.",
    "Acos": "Its slope is infinite at -1 and 1: clamp the input to (-1 + eps, 1 - eps).",
    "Asin": "Its slope is infinite at -1 and 1: clamp the input to (-1 + eps, 1 - eps).",
    "Mul": "0 * inf is NaN: keep the infinite factor finite, or choose by where instead.",
    "Sub": "inf - inf is NaN: keep both finite.",
    "Softmax": "A row in which all is -inf has no softmax: leave one element, or skip such rows.",
}


def is_bad(x: Tensor) -> bool:
    return x.is_floating_point() and not bool(tapegrad.isfinite(x).all())


def _first(x: Tensor) -> tuple[int, ...]:
    """The index of the first NaN, or of the first infinity."""
    wrong = tapegrad.isnan(x)
    if not bool(wrong.any()):
        wrong = ~tapegrad.isfinite(x)
    return tuple(int(i) for i in wrong.nonzero()[0].tolist())


def _number(x: Tensor) -> str:
    return f"{x.item():.4g}"


def _at(x: Tensor | float, index: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """The element of an operand that belongs to one of the result."""
    if not isinstance(x, Tensor):
        return f"{x:.4g}"
    try:
        return _number(x.expand(shape)[index])
    except (RuntimeError, IndexError):
        values = x.reshape(-1)[:_FEW].tolist()
        more = ", ..." if x.numel() > _FEW else ""
        return "[" + ", ".join(f"{value:.4g}" for value in values) + more + "]"


def saved(node: Node) -> dict[str, Any]:
    """What a node has saved, by the names in its formula."""
    prefix = "_saved_"
    return {
        name[len(prefix) :]: getattr(node, name) for name in dir(node) if name.startswith(prefix)
    }


class Values:
    """The values that the nodes of a graph had as results, as far as they can be known."""

    def __init__(self, root: Tensor) -> None:
        assert root.grad_fn is not None
        self.nodes = graph_of(root.grad_fn)
        self.known: dict[Node, Tensor] = {root.grad_fn: root.detach()}
        self.consumers: dict[Node, Node] = {}
        self.saved = {node: saved(node) for node in self.nodes if not is_leaf_node(node)}
        for node in self.nodes:
            if is_leaf_node(node):
                self.known[node] = node.variable.detach()
                continue
            for following, _ in node.next_functions:
                if following is not None:
                    self.consumers.setdefault(following, node)
            for value in self.saved[node].values():
                maker = value.grad_fn if isinstance(value, Tensor) else None
                if maker is not None and len(maker._input_metadata) == 1:
                    self.known.setdefault(maker, value.detach())
        for node in reversed(self.nodes):
            if node not in self.known:
                value = self._again(node)
                if value is not None:
                    self.known[node] = value

    def operands(self, node: Node) -> list[Tensor | float | None]:
        """Of the first arguments; None is unknown."""
        names = self.saved.get(node, {})
        found: list[Tensor | float | None] = []
        constants = [
            value.detach() if isinstance(value, Tensor) else value
            for name, value in names.items()
            if name in ("self", "other", "exponent", "mat2", "tensor")
            and (not isinstance(value, Tensor) or not value.requires_grad)
            and isinstance(value, (Tensor, int, float))
        ]
        for following, _ in node.next_functions:
            if following is not None:
                found.append(self.known.get(following))
            else:
                found.append(constants.pop(0) if constants else None)
        if constants and len(found) == 1 and operation(node) in _BINARY:
            found.append(constants.pop(0))
        return found

    def _again(self, node: Node) -> Tensor | None:
        """The result, computed once more of operands that are known."""
        name = operation(node)
        operands = self.operands(node)
        if not operands or any(value is None for value in operands):
            return None
        if name in _UNARY:
            return getattr(tapegrad, name.lower())(operands[0])
        if name in _BINARY and len(operands) == 2:
            if name in ("Add", "Sub") and node.formula not in _SUMS:
                return None  # with a factor
            return getattr(tapegrad, _BINARY[name])(*operands)
        if name in _SPREADS and len(operands) == 1:
            values = self.saved[node]
            spread = getattr(tapegrad, _SPREADS[name])
            dims = tuple(values["dim"]) or None
            return spread(
                operands[0], dims, correction=values["correction"], keepdim=values["keepdim"]
            )
        if name.rstrip("1") in _REDUCTIONS and len(operands) == 1:
            values = self.saved[node]
            reduce = getattr(tapegrad, _REDUCTIONS[name.rstrip("1")])
            if not values["dim"]:
                return reduce(operands[0])
            return reduce(operands[0], tuple(values["dim"]), values["keepdim"])
        return None

    def chain(self, node: Node) -> list[str]:
        """From behind the node to the root."""
        lines = []
        while (following := self.consumers.get(node)) is not None:
            node = following
            lines.append(f"{operation(node)} at {place_of(node)}")
        if len(lines) > _CHAIN:
            lines[_CHAIN - 1 : -1] = [f"... {len(lines) - _CHAIN} more ..."]
        return lines


def find_forward(root: Tensor) -> Explanation:
    """Where the NaN or infinity of the root comes from."""
    values = Values(root)
    assert root.grad_fn is not None
    node = first = root.grad_fn
    for strict in (True, False):  # NaN as far as it goes, then infinities
        while True:
            step = _worse_input(values, node, strict)
            if step is None:
                break
            node = step
        if strict:
            first = node
    if is_leaf_node(node):
        where = f"a leaf of shape {tuple(node.variable.shape)} holds it from the start"
        user = values.consumers[node]
        return Explanation(
            "input", f"{where}; its first use is {operation(user)} at {place_of(user)}"
        )
    text = _describe_forward(values, node)
    if first is not node and _has_nan(values.known[first]):
        text += "\nof that, this made the NaN: " + _describe_forward(values, first)
    return Explanation("forward", text + _further(values, node))


def _worse_input(values: Values, node: Node, nan_only: bool) -> Node | None:
    """An input that is bad itself; what is not known is looked through."""
    test = _has_nan if nan_only else is_bad
    stack = [following for following, _ in node.next_functions if following is not None]
    seen = set(stack)
    while stack:
        candidate = stack.pop()
        value = values.known.get(candidate)
        if value is not None:
            if test(value):
                return candidate
            continue
        for following, _ in candidate.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                stack.append(following)
    return None


def _has_nan(x: Tensor) -> bool:
    return x.is_floating_point() and bool(tapegrad.isnan(x).any())


def _describe_forward(values: Values, node: Node) -> str:
    result = values.known[node]
    index, shape = _first(result), tuple(result.shape)
    operands = values.operands(node)
    name = operation(node)
    shown = ", ".join("?" if v is None else _at(v, index, shape) for v in operands)
    text = f"{name.lower()}({shown}) is {_number(result[index])}"
    if index:
        text += f" at {list(index)}"
    text += f": {name} at {place_of(node)}"
    unknown = [f for f, _ in node.next_functions if f is not None and f not in values.known]
    if unknown:
        text += "\nor one of the operations before it, whose values were not kept:" + bullet(
            [f"{operation(f)} at {place_of(f)}" for f in unknown]
        )
    return text


def _further(values: Values, node: Node) -> str:
    chain = values.chain(node)
    text = "\nfrom there to the loss:" + bullet(chain) if chain else ""
    advice = _ADVICE.get(operation(node))
    return text + (f"\n{advice}" if advice else "")


# ------------------------------------------------------------------------------- backward


def find_backward(root: Tensor) -> Explanation:
    """The first derivative that makes a NaN or infinity; the forward pass was finite."""
    values = Values(root)
    leaves = tuple(node.variable for node in values.nodes if is_leaf_node(node))
    found: list[tuple[Node, int, tuple[Any, ...], tuple[Any, ...]]] = []
    handles = []

    def watch(node: Node) -> None:
        def after(grad_inputs: Any, grad_outputs: Any) -> None:
            if found:
                return
            bad = [i for i, g in enumerate(grad_inputs) if g is not None and is_bad(g)]
            if any(g is not None and is_bad(g) for g in grad_outputs):
                found.append((node, -1, grad_inputs, grad_outputs))
            elif bad:
                found.append((node, bad[0], grad_inputs, grad_outputs))

        handles.append(node.register_hook(after))

    for node in values.nodes:
        if not is_leaf_node(node):
            watch(node)
    try:
        _C._probe_backward(root, None if root.numel() == 1 else tapegrad.ones_like(root), leaves)
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        return Explanation("finite", "all values and all gradients are finite.")
    node, number, grad_inputs, grad_outputs = found[0]
    if number < 0:
        return Explanation(
            "backward",
            f"the gradients that arrive at {operation(node)} add up to what is not finite: "
            f"{place_of(node)}" + _further(values, node),
        )
    grad, bad = grad_outputs[0], grad_inputs[number]
    index, shape = _first(bad), tuple(bad.shape)
    text = f"the derivative of {operation(node)}"
    if len(grad_inputs) > 1:
        text += f" by its argument {number}"
    text += f" is {_number(bad[index])}"
    if index:
        text += f" at {list(index)}"
    text += f": {place_of(node)}"
    facts = [] if grad is None else [f"grad = {_at(grad.detach(), index, shape)}"]
    facts += [
        f"{name} = {_at(value.detach() if isinstance(value, Tensor) else value, index, shape)}"
        for name, value in values.saved[node].items()
        if isinstance(value, (Tensor, float)) and name in str(node.formula)
    ]
    text += f"\n  {node.formula}\n  with {', '.join(facts)}"
    hidden = _hider(values, node)
    if hidden is not None and grad is not None and _at(grad.detach(), index, shape) in ("0", "-0"):
        name = operation(hidden).lower()
        return Explanation(
            "hidden",
            f"{text}\nThe result is hidden there, by {operation(hidden)} at {place_of(hidden)}, "
            "but its gradient, 0, still meets the slope: 0 * inf and 0 * nan are NaN. Choose "
            f"before the operation, too: x = {_rewrite(name)}, and then the operation on that x."
            + _further(values, node),
        )
    return Explanation("backward", text + _further(values, node))


def _rewrite(name: str) -> str:
    return "where(mask, x, 1.0)" if name == "where" else "x.masked_fill(mask, 1.0)"


def _hider(values: Values, node: Node) -> Node | None:
    """The nearest choice between the node and the root."""
    while (following := values.consumers.get(node)) is not None:
        node = following
        if operation(node) in _HIDING:
            return node
    return None


def search(root: Tensor) -> Explanation:
    if root.grad_fn is None:
        if is_bad(root):
            return Explanation("no graph", "the tensor holds it, but has no graph.")
        return Explanation("no graph", "the tensor has no graph, and all its values are finite.")
    with tapegrad.no_grad():
        return find_forward(root) if is_bad(root.detach()) else find_backward(root)
