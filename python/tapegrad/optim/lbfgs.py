"""L-BFGS."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tapegrad

from .._C import Tensor
from .optimizer import Closure, Optimizer, Params, check_rate, number

__all__ = ["LBFGS"]

# A point on the line of a search: its place, the value, the gradient, and the slope along the line.
_Point = tuple[float, float, Tensor, float]


class LBFGS(Optimizer):
    """L-BFGS (Nocedal, 1980; with the line search of Nocedal and Wright, algorithms 3.5 and 3.6).

    Each step makes several iterations, and needs a closure that computes the loss and its
    gradients again. All parameters are one group.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate, a number or a tensor of one element. Default: 1.
        max_iter: number of iterations in a step. Default: 20.
        max_eval: number of calls of the closure in a step. Default: ``max_iter * 5 // 4``.
        tolerance_grad: a largest gradient at which to stop. Default: 1e-7.
        tolerance_change: a change of parameters or loss at which to stop. Default: 1e-9.
        history_size: number of updates that are remembered. Default: 100.
        line_search_fn: "strong_wolfe", or None (the default).

    Raises:
        ValueError: for a negative rate, or several groups.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([3.0, -2.0], requires_grad=True)
        >>> opt = tapegrad.optim.LBFGS([p], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     opt.zero_grad()
        ...     loss = ((p - 1) ** 2).sum()
        ...     loss.backward()
        ...     return loss
        >>> opt.step(closure)
        tensor(13., grad_fn=<SumBackward0>)
        >>> p
        tensor([1.0000, 1.0000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_rate(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    def _gradient(self) -> Tensor:
        """The gradients of all parameters as one vector."""
        parts = []
        for p in self._params:
            flat = p.detach().new_zeros(p.numel()) if p.grad is None else p.grad.reshape(-1)
            parts.append(flat.detach())
        return tapegrad.cat(parts)

    def _move(self, length: float, direction: Tensor) -> None:
        start = 0
        for p in self._params:
            end = start + p.numel()
            p.add_(direction[start:end].reshape(p.shape), alpha=length)
            start = end

    @tapegrad.no_grad()
    def step(self, closure: Closure) -> Any:
        """Make one step of several iterations.

        Args:
            closure: computes the loss and its gradients again, and returns the loss.

        Returns:
            The loss before the step.
        """
        if len(self.param_groups) != 1:
            raise AssertionError(
                f"Expected exactly one param_group, but got {len(self.param_groups)}"
            )
        group = self.param_groups[0]
        lr, max_iter, max_eval = number(group["lr"]), group["max_iter"], group["max_eval"]
        tolerance_grad, tolerance_change = group["tolerance_grad"], group["tolerance_change"]
        line_search = group["line_search_fn"]

        def evaluate() -> tuple[Any, Tensor]:
            with tapegrad.enable_grad():
                loss = closure()
            return loss, self._gradient()

        state = self._state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss, gradient = evaluate()
        loss, evaluations = float(first_loss), 1
        state["func_evals"] += 1
        if float(gradient.abs().max()) <= tolerance_grad:
            return first_loss
        for iteration in range(1, max_iter + 1):
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                state.update(d=-gradient, old_dirs=[], old_stps=[], ro=[], H_diag=1)
                length = min(1.0, 1.0 / float(gradient.abs().sum())) * lr
            else:
                _remember(state, gradient, group["history_size"])
                state["d"] = _descent(state, gradient, group["history_size"])
                length = lr
            direction = state["d"]
            state.update(t=length, prev_flat_grad=gradient.clone(), prev_loss=loss)
            slope = float(gradient.dot(direction))
            if slope > -tolerance_change:
                break
            before, calls = loss, 0
            if line_search is not None:
                if line_search != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")
                values = [p.clone() for p in self._params]

                def evaluate_at(
                    place: float, direction: Tensor = direction, values: list[Tensor] = values
                ) -> _Point:
                    self._move(place, direction)
                    loss, gradient = evaluate()
                    for p, value in zip(self._params, values, strict=True):
                        p.copy_(value)
                    return place, float(loss), gradient, float(gradient.dot(direction))

                (length, loss, gradient, _), calls = _strong_wolfe(
                    evaluate_at,
                    (0.0, loss, gradient, slope),
                    length,
                    float(direction.abs().max()),
                    max_eval - evaluations,
                )
                state["t"] = length
                self._move(length, direction)
            else:
                self._move(length, direction)
                if iteration != max_iter:  # nothing would be done with it
                    value, gradient = evaluate()
                    loss, calls = float(value), 1
            evaluations += calls
            state["func_evals"] += calls
            if (
                evaluations >= max_eval
                or float(gradient.abs().max()) <= tolerance_grad
                or float((direction * length).abs().max()) <= tolerance_change
                or abs(loss - before) < tolerance_change
            ):
                break
        return first_loss


def _remember(state: dict[str, Any], gradient: Tensor, history_size: int) -> None:
    """Adds the change of the gradient in the last update, and the update, to the history."""
    change = gradient - state["prev_flat_grad"]
    update = state["d"] * state["t"]
    product = float(change.dot(update))
    if product > 1e-10:
        histories = (state["old_dirs"], state["old_stps"], state["ro"])
        for history, entry in zip(histories, (change, update, 1.0 / product), strict=True):
            if len(history) == history_size:
                history.pop(0)
            history.append(entry)
        state["H_diag"] = product / float(change.dot(change))


def _descent(state: dict[str, Any], gradient: Tensor, history_size: int) -> Tensor:
    """The direction of descent: the history's approximation of the inverse Hessian, applied."""
    pairs = list(zip(state["old_dirs"], state["old_stps"], state["ro"], strict=True))
    weights = [0.0] * len(pairs)
    state["al"] = weights + [None] * (history_size - len(pairs))  # PyTorch goes on with this list
    d = -gradient
    for i in range(len(pairs) - 1, -1, -1):
        change, update, ro = pairs[i]
        weights[i] = float(update.dot(d)) * float(ro)
        d.add_(change, alpha=-weights[i])
    d.mul_(float(state["H_diag"]))
    for (change, update, ro), weight in zip(pairs, weights, strict=True):
        d.add_(update, alpha=weight - float(change.dot(d)) * float(ro))
    return d


def _between(a: _Point, b: _Point, low: float, high: float) -> float:
    """The minimum of the cubic through two points with their slopes, within limits."""
    if a[0] > b[0]:
        a, b = b, a
    width = b[0] - a[0]
    bend = a[3] + b[3] + 3 * (a[1] - b[1]) / width
    square = bend**2 - a[3] * b[3]
    if square >= 0:
        root = math.sqrt(square)
        divisor = b[3] - a[3] + 2 * root
        if divisor != 0:
            place = b[0] - width * ((b[3] + root - bend) / divisor)
            return min(max(place, low), high)
    return (low + high) / 2.0


def _strong_wolfe(
    evaluate_at: Callable[[float], _Point],
    origin: _Point,
    length: float,
    reach: float,
    limit: int,
) -> tuple[_Point, int]:
    """A point that fulfils the strong Wolfe conditions, and the number of evaluations.

    Args:
        evaluate_at: gives the point at a place on the line.
        origin: the point where the line begins.
        length: the place to try first.
        reach: the largest change of a parameter per unit of the line.
        limit: number of points that may be tried.
    """
    _, loss, _, slope = origin

    def too_high(point: _Point) -> bool:
        return point[1] > loss + 1e-4 * point[0] * slope

    def is_flat(point: _Point) -> bool:
        return abs(point[3]) <= -0.9 * slope

    # Go on until two points have a minimum between them.
    previous, point, tried = origin, evaluate_at(length), 0
    while tried < limit:
        if too_high(point) or (tried > 1 and point[1] >= previous[1]):
            break
        if is_flat(point):
            return point, tried + 1
        if point[3] >= 0:
            break
        nearest = point[0] + 0.01 * (point[0] - previous[0])
        place = _between(previous, point, nearest, point[0] * 10)
        previous, point = point, evaluate_at(place)
        tried += 1
    else:
        previous = origin

    # Draw the two together.
    ends, insufficient = [previous, point], False
    low = 0 if ends[0][1] <= ends[1][1] else 1
    while tried < limit:
        left, right = sorted((ends[0][0], ends[1][0]))
        if (right - left) * reach < 1e-9:
            break
        place = _between(ends[0], ends[1], left, right)
        margin = 0.1 * (right - left)
        near = min(right - place, place - left) < margin
        if near and (insufficient or place >= right or place <= left):
            place = right - margin if right - place < place - left else left + margin
            near = False
        insufficient = near
        point = evaluate_at(place)
        tried += 1
        if too_high(point) or point[1] >= ends[low][1]:
            ends[1 - low] = point
            low = 0 if ends[0][1] <= ends[1][1] else 1
            continue
        if is_flat(point):
            return point, tried + 1
        if point[3] * (ends[1 - low][0] - ends[low][0]) >= 0:
            ends[1 - low] = ends[low]
        ends[low] = point
    return ends[low], tried + 1
