"""tapegrad and PyTorch: one code for both, because the one mirrors the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from .base import Case, Engine, Gradients, HessianVector, Training


class MirrorEngine(Engine):
    """An engine with the API of `torch`, given as the module `m`."""

    def __init__(self, m: ModuleType) -> None:
        self.m = m
        self.f = SimpleNamespace(
            tanh=m.tanh,
            exp=m.exp,
            sigmoid=m.sigmoid,
            relu=m.relu,
            softmax=lambda x: m.softmax(x, -1),
            log_softmax=lambda x: m.log_softmax(x, -1),
            layer_norm=lambda x, w, b: m.nn.functional.layer_norm(x, w.shape, w, b),
            sum=lambda x, dim: x.sum() if dim is None else x.sum(dim),
            mean=lambda x, dim: x.mean() if dim is None else x.mean(dim),
            max=lambda x, dim: x.max() if dim is None else x.max(dim).values,
            cross_entropy=m.nn.functional.cross_entropy,
            conv2d=lambda x, w: m.nn.functional.conv2d(x, w, padding="same"),
            max_pool2d=lambda x: m.nn.functional.max_pool2d(x, 2),
            lstm=self._lstm,
            gru=self._gru,
            attention=m.nn.functional.scaled_dot_product_attention,
            embedding=lambda index, w: m.nn.functional.embedding(m.from_numpy(index), w),
            gather=lambda x, index: m.gather(x, 0, m.from_numpy(index)),
            scatter_add=lambda x, index, y: m.scatter_add(x, 0, m.from_numpy(index), y),
        )

    def _lstm(self, x: Any, weights: Any) -> Any:
        zeros = self.m.zeros(1, x.shape[1], weights[1].shape[1])
        return self.m.lstm(x, (zeros, zeros), weights, True, 1, 0.0, True, False, False)[0]

    def _gru(self, x: Any, weights: Any) -> Any:
        zeros = self.m.zeros(1, x.shape[1], weights[1].shape[1])
        return self.m.gru(x, zeros, weights, True, 1, 0.0, True, False, False)[0]

    def version(self) -> str:
        return f"{self.m.__name__} {self.m.__version__}"

    def leaf(self, array: np.ndarray) -> Any:
        """Return a copy of `array` as a tensor that requires grad."""
        return self.m.from_numpy(array.copy()).requires_grad_()

    def statement(self, text: str) -> Case:
        def names() -> dict[str, Any]:
            a, b = (self.leaf(np.array([v], dtype=np.float32)) for v in (0.5, 0.25))
            return {"a": a, "b": b, "tanh": self.m.tanh}

        return Case.of_text(text, names, lambda tensor: tensor.detach().numpy())

    def gradients(self, task: Gradients) -> Case:
        function, f = task.function, self.f
        leaves = [self.leaf(array) for array in task.inputs]
        start = None if task.cotangent is None else self.m.from_numpy(task.cotangent)

        def step() -> Any:
            for leaf in leaves:
                leaf.grad = None
            result = function(f, *leaves)
            result.backward(start)
            return result

        step = self.compile(step)

        def values() -> list[np.ndarray]:
            result = step()
            return [result.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves)]

        return Case(step, values)

    def training(self, model: Training) -> Case:
        return self._by_hand(model) if model.by_hand else self._with_modules(model)

    def _by_hand(self, model: Training) -> Case:
        no_grad, rate = self.m.no_grad, model.rate
        parameters = [self.leaf(array) for array in model.parameters()]
        x, target = (self.m.from_numpy(array) for array in model.data())
        w1, b1, w2, b2 = parameters

        def step() -> None:
            hidden = (x @ w1 + b1).tanh()
            loss = ((hidden @ w2 + b2 - target) ** 2).mean()
            loss.backward()
            with no_grad():
                for parameter in parameters:
                    parameter -= rate * parameter.grad
                    parameter.grad = None

        return Case.of_steps(
            self.compile(step),
            lambda: [parameter.detach().numpy().copy() for parameter in parameters],
        )

    def _with_modules(self, model: Training) -> Case:
        network = self._network(model)
        parameters = list(network.parameters())
        criterion = self._criterion(model)
        optimizer = self.optimizer(model, parameters)
        x, target = (self.m.from_numpy(array) for array in model.data())

        def step() -> None:
            loss = criterion(network(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        return self._steps(step, parameters)

    def physics(self, model: Training) -> Case:
        network, grad = self._network(model), self.m.autograd.grad
        parameters = list(network.parameters())
        optimizer = self.optimizer(model, parameters)
        points = self.leaf(model.data()[0])

        def step() -> None:
            u = network(points)
            (first,) = grad(u.sum(), points, create_graph=True)
            (second,) = grad(first[:, 0].sum(), points, create_graph=True)
            loss = ((first[:, 1] - second[:, 0]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward(inputs=parameters)
            optimizer.step()

        return self._steps(step, parameters)

    def inference(self, model: Training) -> Case:
        network, no_grad = self._network(model), self.m.no_grad
        x = self.m.from_numpy(model.data()[0])

        def outputs() -> Any:
            with no_grad():
                return network(x)

        outputs = self.compile(outputs)
        return Case(outputs, lambda: [outputs().numpy()])

    def transformed(self, build: Callable[..., Any], arrays: Sequence[Any]) -> Case:
        function = build(self.f, self.m.func)

        def tensors(given: Any) -> Any:
            if isinstance(given, list):
                return [tensors(each) for each in given]
            return self.m.from_numpy(np.array(given))

        arguments = tensors(list(arrays))

        def call() -> Any:
            return function(*arguments)

        call = self.compile(call)

        def values() -> list[np.ndarray]:
            found = call()
            return [x.numpy() for x in (found if isinstance(found, list) else [found])]

        return Case(call, values)

    def _network(self, model: Training) -> Any:
        nn = self.m.nn
        activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[model.activation]
        layers: list[Any] = []
        for inputs, outputs in zip(model.sizes[:-1], model.sizes[1:], strict=True):
            layers += [nn.Linear(inputs, outputs), activation()]
        network = nn.Sequential(*layers[:-1])
        with self.m.no_grad():
            for parameter, array in zip(network.parameters(), model.parameters(), strict=True):
                parameter.copy_(self.m.from_numpy(array.T.copy()))
        return network

    def _criterion(self, model: Training) -> Any:
        nn = self.m.nn
        return nn.CrossEntropyLoss() if model.loss == "cross_entropy" else nn.MSELoss()

    def _steps(self, step: Callable[[], None], parameters: list[Any]) -> Case:
        return Case.of_steps(
            self.compile(step), lambda: [p.detach().numpy().T.copy() for p in parameters]
        )

    def compile(self, function: Callable[[], Any]) -> Callable[[], Any]:
        """Return what computes the same; engines that compile do it here."""
        return function

    def optimizer(self, model: Training, parameters: list[Any]) -> Any:
        """Return the optimiser that `model` asks for."""
        if model.optimizer == "adam":
            return self.m.optim.Adam(parameters, lr=model.rate)
        momentum = 0.9 if model.optimizer == "momentum" else 0.0
        return self.m.optim.SGD(parameters, lr=model.rate, momentum=momentum)

    def step(self, optimizer: str, model: Training) -> Case:
        parameters = [self.leaf(array) for array in model.parameters()]
        for parameter in parameters:
            parameter.grad = parameter.detach().cos()
        step = getattr(self.m.optim, optimizer)(parameters, lr=model.rate).step
        return Case.of_steps(step, lambda: [p.detach().numpy().copy() for p in parameters])

    def loading(self, rows: int, batch: int) -> Case:
        data = self.m.utils.data
        generator = np.random.default_rng(5)
        x = self.m.from_numpy(generator.standard_normal((rows, 16), dtype=np.float32))
        target = self.m.from_numpy(generator.integers(0, 10, rows))
        loader = data.DataLoader(data.TensorDataset(x, target), batch_size=batch)

        def epoch() -> None:
            for _ in loader:
                pass

        return Case(epoch, lambda: [part.numpy() for pair in loader for part in pair])

    def chain(self, length: int) -> Case:
        leaf = self.leaf(np.array([0.5], dtype=np.float32))

        def forward() -> Any:
            leaf.grad = None
            y = leaf
            for _ in range(length // 2):
                y = y * 0.9999
                y = y + leaf
            return y

        def values() -> list[np.ndarray]:
            y = forward()
            y.backward()
            return [y.detach().numpy(), leaf.grad.numpy()]

        return Case.of_phases(forward, self.m.Tensor.backward, values)

    def hessian_vector(self, task: HessianVector) -> Case:
        function, f, grad = task.function, self.f, self.m.autograd.grad
        leaves = [self.leaf(array) for array in task.inputs]
        directions = [self.m.from_numpy(array) for array in task.vectors]
        fixed = [self.m.from_numpy(array) for array in task.constants]

        def product() -> Any:
            first = grad(function(f, *leaves, *fixed), leaves, create_graph=True)
            # Directions as grad_outputs: the same as the gradient of their dot product.
            return grad(first, leaves, grad_outputs=directions)

        product = self.compile(product)
        return Case(product, lambda: [tensor.numpy() for tensor in product()])


class TapegradEngine(MirrorEngine):
    """tapegrad, with as many threads as it takes by itself, or with `threads`."""

    package = "tapegrad"
    imports = "import tapegrad"

    def __init__(self, threads: int | None = None) -> None:
        import tapegrad

        super().__init__(tapegrad)
        self.name = "tapegrad" if threads is None else f"tapegrad-{threads}"
        self.label = "tapegrad" if threads is None else f"tapegrad ({threads} thread)"
        self.threads: int = threads or self.m.get_num_threads()

    def activate(self) -> None:
        self.m.set_num_threads(self.threads)


class _WholeSteps:
    """An engine that compiles steps: single operations and loops over data are not measured."""

    def statement(self, text: str) -> None:
        return None

    def chain(self, length: int) -> None:
        return None

    def step(self, optimizer: str, model: Training) -> None:
        return None

    def loading(self, rows: int, batch: int) -> None:
        return None


class ReplayEngine(_WholeSteps, TapegradEngine):
    """tapegrad's steps, recorded by `tapegrad.compile` and replayed."""

    def __init__(self) -> None:
        super().__init__()
        self.name, self.label = "replay", "tapegrad, replayed"

    def compile(self, function: Callable[[], Any]) -> Callable[[], Any]:
        return self.m.compile(function, fullgraph=True)


class TorchEngine(MirrorEngine):
    """PyTorch with a fixed number of threads; small steps are faster with one."""

    package = "torch"
    imports = "import torch"

    def __init__(self, threads: int) -> None:
        import torch

        super().__init__(torch)
        self.name = f"torch-{threads}"
        self.label = f"torch ({threads} thread{'s' if threads > 1 else ''})"
        self.threads = threads

    def activate(self) -> None:
        self.m.set_num_threads(self.threads)

    def optimizer(self, model: Training, parameters: list[Any]) -> Any:
        # The fused ones, which are PyTorch's fastest on the CPU.
        if model.optimizer == "adam":
            return self.m.optim.Adam(parameters, lr=model.rate, fused=True)
        momentum = 0.9 if model.optimizer == "momentum" else 0.0
        return self.m.optim.SGD(parameters, lr=model.rate, momentum=momentum, fused=True)


class CompiledTorchEngine(_WholeSteps, TorchEngine):
    """PyTorch's steps, compiled by `torch.compile`: half a minute each, with a C++ compiler."""

    def __init__(self) -> None:
        super().__init__(2)
        self.name, self.label = "torch-compile", "torch.compile"

    def compile(self, function: Callable[[], Any]) -> Callable[[], Any]:
        return self.m.compile(function)

    def optimizer(self, model: Training, parameters: list[Any]) -> Any:
        return MirrorEngine.optimizer(self, model, parameters)  # these are compiled
