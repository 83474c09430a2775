"""Why a gradient is missing, or zero."""

from __future__ import annotations

from typing import Any

from tapegrad import _C
from tapegrad._C import Node, Tensor
from tapegrad._explanation import Explanation, bullet, place_of, site

# Cuts by which people rarely mean a gradient to pass come last: they log and decide by these.
WEAK_CUTS = ("item()", "tolist()", "a comparison", "the conversion to a number of Python's")
_SHOWN = 3

# Operations that let gradients through in some places only, and what it means that none is left.
_GATES = {
    "Relu": "all of its inputs are negative or 0: the ReLU is dead",
    "Relu6": "all of its inputs lie outside of (0, 6)",
    "Threshold": "all of its inputs are below the threshold",
    "Hardtanh": "all of its inputs lie outside of the bounds",
    "Hardsigmoid": "all of its inputs lie where it is constant",
    "Hardshrink": "all of its inputs lie where it is 0",
    "Softshrink": "all of its inputs lie where it is 0",
    "Clamp": "all of its inputs lie outside of the bounds",
    "ClampMin": "all of its inputs are below the bound",
    "ClampMax": "all of its inputs are above the bound",
    "Mul": "the other factor is 0",
    "Where": "the condition takes none of its elements",
    "MaskedFill": "the mask covers all of its elements",
    "Maximum": "the other tensor is larger everywhere",
    "Minimum": "the other tensor is smaller everywhere",
    "Select": "other elements are taken",
    "Slice": "other elements are taken",
    "Index": "other elements are taken",
    "Stack": "only other elements of the result are used",
    "Cat": "only other elements of the result are used",
    "Sigmoid": "it is saturated: its derivative rounds to 0",
    "Tanh": "it is saturated: its derivative rounds to 0",
    "Softmax": "it is saturated: its derivative rounds to 0",
}
_STEPS = ("Floor", "Ceil", "Round", "Trunc", "Sign", "FloorDivide", "Heaviside", "Sgn")


def operation(node: Node) -> str:
    """The operation whose derivative a node is: "Mul" of MulBackward0."""
    return node.name().split("Backward")[0].rsplit("::", 1)[-1]


def is_leaf_node(node: Node) -> bool:
    return node.name().endswith("AccumulateGrad")


def graph_of(root: Node) -> list[Node]:
    """All nodes, each before those behind it."""
    seen: set[Node] = {root}
    found = [root]
    for node in found:
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                found.append(following)
    return sorted(found, key=lambda node: -1 if is_leaf_node(node) else node._sequence_nr())[::-1]


def _paths(root: Node, x: Tensor) -> set[Node]:
    """The nodes between the root and x; none where x is not behind the root."""
    target = None if x.is_leaf else x.grad_fn

    def is_target(node: Node) -> bool:
        return node is target or (target is None and is_leaf_node(node) and node.variable is x)

    leads: set[Node] = set()
    for node in reversed(graph_of(root)):
        if is_target(node) or any(following in leads for following, _ in node.next_functions):
            leads.add(node)
    return leads


def latest_pass(root: Tensor | None) -> tuple[int, int, bool, Tensor | None]:
    """The latest backward pass: number, site, whether it puts into .grad, and its root."""
    number, where, into_grad, reference = _C._latest_pass()
    found = reference() if reference is not None else None
    return number, where, into_grad, root if root is not None else found


def _cuts_of(number: int) -> tuple[list[str], bool]:
    """Where a leaf's values left the tape, the likely places first; and whether that is sure."""
    mine = [cut for cut in _C._cuts() if number in cut[5]] if number else []
    sure = bool(mine)
    if not sure:
        mine = [cut for cut in _C._cuts() if not cut[4]]
    mine.sort(key=lambda cut: (cut[0] in WEAK_CUTS, -cut[3]))
    lines = []
    for how, where, block, *_ in mine[:_SHOWN]:
        line = f"{how} at {site(where)}"
        if how == "no_grad" and block:
            line += f"; the block begins at {site(block)}"
        lines.append(line)
    return lines, sure


def explain_tensor(x: Tensor, root: Tensor | None = None) -> Explanation:
    if x.grad is not None if x.is_leaf or x.retains_grad else False:
        return _explain_there(x, root)
    if not x.is_floating_point():
        return Explanation(
            "dtype", f"it holds {x.dtype}: only floating-point tensors have gradients."
        )
    if not x.requires_grad:
        return _explain_constant()
    if not x.is_leaf:
        return _explain_result(x)
    return _explain_leaf(x, root)


def _explain_constant() -> Explanation:
    text = (
        "it does not require grad. Set requires_grad=True when it is made, or call "
        "requires_grad_(), before the values are computed that the loss depends on."
    )
    cuts = [f"{how} at {site(where)}" for how, where, *_ in _C._cuts()[::-1]]
    cuts = [cut for cut in cuts if not cut.startswith(WEAK_CUTS)][:_SHOWN]
    if cuts:
        text += " If it was computed from what does, it left the tape; the latest such places:"
    return Explanation("constant", text + bullet(cuts))


def _explain_result(x: Tensor) -> Explanation:
    node = x.grad_fn
    assert node is not None
    return Explanation(
        "result",
        f"it is no leaf but the result of {operation(node)}: {place_of(node)}\n"
        "Gradients of results are passed on and not kept. Call retain_grad() before the backward "
        "pass to keep it; if it is meant to be a parameter, make it one at the end: "
        "x = (...).detach().requires_grad_().",
    )


def _explain_leaf(x: Tensor, given: Tensor | None) -> Explanation:
    ledger, latest, cleared, used = _C._leaf_story(x)
    number, where, into_grad, root = latest_pass(given)
    if latest and (given is None) and latest == number and not cleared:
        return Explanation("gone", "a gradient had come, and .grad was deleted since.")
    if number == 0:
        return Explanation("no backward", "no backward pass has run. Call backward() on the loss.")
    if latest and cleared and (latest == number or root is None):
        return Explanation(
            "cleared",
            "it was cleared, and no backward pass has brought one since."
            f"\nCleared at {site(cleared)}",
        )
    if root is not None and root.grad_fn is not None and _paths(root.grad_fn, x):
        if not into_grad:
            return Explanation(
                "grad()",
                "autograd.grad returns gradients and puts none into .grad."
                f"\nThe latest pass: {site(where)}",
            )
        if latest == number and cleared:
            return Explanation("cleared", f"it was cleared.\nCleared at {site(cleared)}")
        return Explanation(
            "not asked",
            "the latest backward pass did not ask for it: with inputs=... only these get gradients."
            f"\nThe pass: {site(where)}",
        )
    passed = f"\nThe latest backward pass: {site(where)}"
    cuts, sure = _cuts_of(ledger)
    if sure:
        return Explanation("cut", "its values left the tape:" + bullet(cuts) + passed)
    if not used:
        return Explanation(
            "unused",
            "no recorded operation has used it. If the program does, requires_grad was set "
            "afterwards, or a copy of it is used in its place." + passed,
        )
    text = "what was computed from it does not enter the result that backward started from."
    if cuts:
        text += " These lines have taken values off the tape that may have been its:" + bullet(cuts)
    return Explanation("elsewhere", text + passed)


# ------------------------------------------------------------------------------------- zeros


def _explain_there(x: Tensor, given: Tensor | None) -> Explanation:
    _, latest, _, _ = _C._leaf_story(x) if x.is_leaf else (0, 0, 0, False)
    number, where, _, root = latest_pass(given)
    grad = x.grad
    assert grad is not None
    if bool((grad != 0).any()):
        text = "it has a gradient"
        if latest and latest == number:
            text += f", by the backward pass at {site(where)}"
        if bool(grad.isnan().any()):
            return Explanation("nan", text + ", and that holds NaN: explain_nan(loss) says why.")
        return Explanation("there", text + ".")
    if x.is_leaf and latest != number:
        zeroed = _C._last_write(grad)
        if number and root is not None and root.grad_fn and not _paths(root.grad_fn, x):
            rest = _explain_leaf(x, given)
            return Explanation(rest.reason, "its gradient is zero, of earlier: " + rest.text)
        if zeroed:
            return Explanation("zeroed", f"its gradient was set to zero at {site(zeroed)}")
    if root is None or root.grad_fn is None:
        return Explanation(
            "zero", "its gradient is zero. The loss is gone; explain(x, loss) says where it arose."
        )
    return _explain_zero(x, root)


def _explain_zero(x: Tensor, root: Tensor) -> Explanation:
    assert root.grad_fn is not None
    paths = _paths(root.grad_fn, x)
    try:
        stops = _where_gradients_end(x, root, paths)
    except RuntimeError:
        stops = None
    if stops:
        return Explanation(
            "zero", "its gradient is zero everywhere:" + bullet(list(dict.fromkeys(stops)))
        )
    if stops is not None:
        return Explanation(
            "zero",
            "its gradient is zero: the gradients of its uses add up to 0, or the one that "
            "the pass began with is 0.",
        )
    # The values are gone.
    suspects = [
        f"{operation(node)} at {place_of(node)}"
        for node in graph_of(root.grad_fn)
        if node in paths and (_reason(node) is not None)
    ]
    text = (
        "its gradient is zero everywhere. The graph has been freed, so where it became zero "
        "cannot be computed any more; explain(x, loss) before backward(), or after "
        "backward(retain_graph=True), can."
    )
    if suspects:
        text += " These operations on the way can do it:" + bullet(suspects[:5])
    return Explanation("zero", text)


def _reason(node: Node) -> str | None:
    name = operation(node)
    if name in _STEPS:
        return "it is constant between its jumps: its derivative is 0 everywhere"
    return _GATES.get(name)


def _has_nonzero(grads: Any) -> bool:
    return any(g is not None and bool((g.detach() != 0).any()) for g in grads)


def _where_gradients_end(x: Tensor, root: Tensor, paths: set[Node]) -> list[str]:
    """The operations on the way that gradients enter and none leaves; runs the graph once more."""
    ends: list[str] = []
    handles = []

    def watch(node: Node) -> None:
        wanted = [i for i, (following, _) in enumerate(node.next_functions) if following in paths]

        def after(grad_inputs: Any, grad_outputs: Any) -> None:
            if not _has_nonzero(grad_outputs):
                return
            if not _has_nonzero([grad_inputs[i] for i in wanted if i < len(grad_inputs)]):
                why = _reason(node) or f"its derivative, {node.formula}, is 0 there"
                ends.append(f"{operation(node)} at {place_of(node)}\n{why}")

        handles.append(node.register_hook(after))

    for node in paths:
        if node.next_functions:
            watch(node)
    try:
        grads = None if root.numel() == 1 else _C.ones_like(root)
        _C._probe_backward(root, grads, (x,))
    finally:
        for handle in handles:
            handle.remove()
    return ends


# ----------------------------------------------------------------------------------- modules


def order_of_use(root: Tensor | None) -> dict[int, int]:
    """For leaves, by id: when the graph used them first."""
    order: dict[int, int] = {}
    if root is None or root.grad_fn is None:
        return order
    for node in graph_of(root.grad_fn):
        for following, _ in node.next_functions:
            if following is not None and is_leaf_node(following):
                key = id(following.variable)
                order[key] = min(order.get(key, node._sequence_nr()), node._sequence_nr())
    return order
