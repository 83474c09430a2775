"""MLX on the CPU: the whole step compiled with `mx.compile`, compilation not counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import expressions
from .base import Case, Engine, Gradients


class MlxEngine(Engine):
    """Functions that are differentiated and compiled."""

    name = "mlx"
    label = "MLX compile"
    package = "mlx"
    imports = "import mlx.core"

    def __init__(self) -> None:
        import mlx.core as mx

        mx.set_default_device(mx.cpu)
        self.mx = mx
        self.f = SimpleNamespace(
            tanh=mx.tanh,
            exp=mx.exp,
            sigmoid=mx.sigmoid,
            relu=lambda x: mx.maximum(x, 0),
            softmax=lambda x: mx.softmax(x, -1),
            log_softmax=lambda x: x - mx.logsumexp(x, -1, keepdims=True),
            layer_norm=lambda x, w, b: mx.fast.layer_norm(x, w, b, 1e-5),
            sum=mx.sum,
            mean=mx.mean,
            max=mx.max,
            lstm=self._lstm,
            gru=self._gru,
            embedding=lambda index, w: w[mx.array(index)],
            gather=lambda x, index: mx.take_along_axis(x, mx.array(index), 0),
            scatter_add=lambda x, index, y: x.at[mx.array(index), mx.arange(x.shape[1])].add(y),
        )

    def _lstm(self, x: Any, weights: Any) -> Any:
        mx = self.mx
        w_ih, w_hh, b_ih, b_hh = weights
        sums = x @ w_ih.T + (b_ih + b_hh)
        h = c = mx.zeros((x.shape[1], w_hh.shape[1]))
        steps = []
        for t in range(x.shape[0]):
            i, f, g, o = mx.split(sums[t] + h @ w_hh.T, 4, -1)
            c = mx.sigmoid(f) * c + mx.sigmoid(i) * mx.tanh(g)
            h = mx.sigmoid(o) * mx.tanh(c)
            steps.append(h)
        return mx.stack(steps)

    def _gru(self, x: Any, weights: Any) -> Any:
        mx = self.mx
        w_ih, w_hh, b_ih, b_hh = weights
        sums = x @ w_ih.T + b_ih
        h = mx.zeros((x.shape[1], w_hh.shape[1]))
        steps = []
        for t in range(x.shape[0]):
            r, z, n = mx.split(sums[t], 3, -1)
            hidden_r, hidden_z, hidden_n = mx.split(h @ w_hh.T + b_hh, 3, -1)
            n = mx.tanh(n + mx.sigmoid(r + hidden_r) * hidden_n)
            h = n + mx.sigmoid(z + hidden_z) * (h - n)
            steps.append(h)
        return mx.stack(steps)

    def version(self) -> str:
        return f"mlx {self.mx.__version__}"

    def gradients(self, task: Gradients) -> Case | None:
        mx, cotangent = self.mx, task.cotangent
        if task.function in (expressions.conv2d, expressions.lenet, expressions.attention):
            return None
        arrays = [mx.array(array) for array in task.inputs]
        start = None if cotangent is None else mx.array(cotangent)

        def both(given: list[Any]) -> Any:
            first = mx.array(1.0) if start is None else start
            results, back = mx.vjp(lambda *a: task.function(self.f, *a), given, [first])
            return [*results, *back]

        compiled = mx.compile(both)

        def call() -> Any:
            results = compiled(arrays)
            mx.eval(results)
            return results

        return Case(call, lambda: [np.array(array) for array in call()])
