"""Questions that people ask about gradients, answered with the lines of their own program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapegrad._C import Tensor
from tapegrad._explanation import Explanation
from tapegrad._gradient_paths import explain_tensor, latest_pass, order_of_use
from tapegrad._nan_search import search

if TYPE_CHECKING:
    from tapegrad.nn import Module

__all__ = ["explain", "explain_nan"]


def explain(x: Tensor | Module, root: Tensor | None = None) -> Explanation:
    """Say in words why ``x.grad`` is None, or why it is zero.

    The answer names the line: where the path from the loss to x was cut (``detach()``,
    ``no_grad``, ``.data``, ``item()``, a conversion to integers, ...), where the gradient was
    cleared, or which operation on the way made it zero.

    Args:
        x: a tensor; or a module, for a table of all its parameters in the order of the forward
            pass.
        root: the tensor whose backward pass is meant. Default: that of the latest one, as long as
            it is alive. To find where a gradient became zero its graph is run once more, so it
            must not be freed: call this before ``backward()``, or after
            ``backward(retain_graph=True)``.

    Returns:
        An `Explanation`: ``str()`` of it is the text, ``reason`` a short name of the reason.

    Example::

        >>> import tapegrad
        >>> x = tapegrad.ones(3, requires_grad=True)
        >>> y = x * 2
        >>> y.sum().backward()
        >>> print(tapegrad.explain(y).summary)
        it is no leaf but the result of Mul: <doctest tapegrad...
        >>> print(tapegrad.explain(x).reason)
        there
    """
    if isinstance(x, Tensor):
        return explain_tensor(x, root)
    _, _, _, found = latest_pass(root)
    order = order_of_use(found)
    last = len(order) and max(order.values()) + 1
    named = sorted(x.named_parameters(), key=lambda item: order.get(id(item[1]), last))
    rows = [("parameter", "shape", "gradient")]
    reasons = set()
    for name, parameter in named:
        answer = explain_tensor(parameter, root)
        reasons.add(answer.reason)
        size = f"norm {parameter.grad.norm().item():.3g}" if parameter.grad is not None else "None"
        text = size if answer.reason == "there" else f"{size}: {answer.summary}"
        detail = answer.text.split("\n")[1:] if answer.reason in ("cut", "zero") else []
        rows.append((name, str(tuple(parameter.shape)), " ".join([text, *map(str.strip, detail)])))
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    lines = [
        f"{name:<{widths[0]}}  {shape:<{widths[1]}}  {text}".rstrip() for name, shape, text in rows
    ]
    return Explanation(reasons.pop() if len(reasons) == 1 else "several", "\n".join(lines))


def explain_nan(loss: Tensor) -> Explanation:
    """Say which operation made the first NaN or infinity out of finite numbers.

    Looks at the values of the graph first, from the loss back to where they are finite; if all
    are, runs the backward pass once more and looks at the gradients. The answer has the line,
    the element and what the operation took there, the operations between it and the loss, and
    what to write instead. It tells where ``where`` or ``masked_fill`` hides a NaN that its
    gradient still meets.

    Args:
        loss: a tensor whose graph has not been freed: before ``backward()``, or after
            ``backward(retain_graph=True)``. No gradient is changed.

    Returns:
        An `Explanation`. ``reason`` is ``"forward"``, ``"backward"``, ``"hidden"`` (by ``where``),
        ``"input"`` (a leaf holds it), ``"finite"`` or ``"no graph"``.

    Raises:
        RuntimeError: if the graph has been freed.

    Example::

        >>> import tapegrad
        >>> x = tapegrad.tensor([1.0, 0.0], requires_grad=True)
        >>> print(tapegrad.explain_nan(x.log().sum()))
        log(0) is -inf at [1]: Log at <doctest tapegrad...
    """
    return search(loss)
