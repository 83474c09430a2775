"""A program as a user with a type checker writes it: tests/test_typing.py checks it, and runs it.

What a checker has to see is said by ``assert_type``; a line that must be refused carries the
``type: ignore`` that is unused, and so an error, if it is not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_type, override

import tapegrad
from tapegrad import Tensor, nn, optim
from tapegrad.autograd import Function, gradcheck
from tapegrad.autograd.function import FunctionCtx
from tapegrad.distributions import Normal, kl_divergence
from tapegrad.func import grad, hessian, jacrev, vjp, vmap
from tapegrad.nn import functional as F
from tapegrad.nn.utils import clip_grad_norm_
from tapegrad.optim.lr_scheduler import CosineAnnealingLR
from tapegrad.utils.data import DataLoader, Dataset, TensorDataset, random_split


def tensors() -> None:
    x = tapegrad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert_type(x, Tensor)
    assert_type(x + 1, Tensor)
    assert_type(2.0 * x @ x.T, Tensor)
    assert_type(x[0, 1:], Tensor)
    assert_type(x > 1, Tensor)
    assert_type(x.shape, tapegrad.Size)
    assert_type(x.shape[0], int)
    assert_type(x.size(), tapegrad.Size)
    assert_type(x.size(0), int)
    assert_type(x.dtype, tapegrad.dtype)
    assert_type(x.device, tapegrad.device)
    assert_type(x.requires_grad, bool)
    assert_type(x.grad, Tensor | None)
    assert_type(x.sum().item(), int | float | bool)
    assert_type(x.detach().numpy(), npt.NDArray[Any])
    assert_type(tapegrad.from_numpy(np.zeros(3)), Tensor)

    values, indices = x.max(dim=1)
    assert_type(values, Tensor)
    assert_type(indices, Tensor)
    assert_type(x.max(), Tensor)
    assert_type(x.sort(descending=True).values, Tensor)
    assert_type(tapegrad.cat([x, x], dim=1), Tensor)
    assert_type(x.split(1), tuple[Tensor, ...])
    assert_type(tapegrad.where(x > 2, x, 0.0), Tensor)
    assert_type(tapegrad.zeros(2, 3, dtype=tapegrad.float64), Tensor)
    assert_type(tapegrad.linalg.solve(x, x), Tensor)
    assert_type(tapegrad.einsum("ij,jk->ik", x, x), Tensor)
    for row in x:
        assert_type(row, Tensor)
    assert memoryview(x.detach()).shape == (2, 2)
    with tapegrad.no_grad():
        x.mul_(2).clamp_(min=0.0)
    if TYPE_CHECKING:  # what both refuse
        tapegrad.tensor([1.0], dtypo=tapegrad.float32)  # type: ignore[call-arg]
        x.sum(dim="rows")  # type: ignore[arg-type]


class Clipped(Function):
    """The exponential of what is at most `limit`."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, limit: float) -> Tensor:
        result = x.clamp(max=limit).exp()
        ctx.save_for_backward(x, result)
        ctx.limit = limit
        return result

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:
        x, result = ctx.saved_tensors
        return grad * result * (x <= ctx.limit), None


class Block(nn.Module):
    scale: Tensor

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.gain = nn.Parameter(tapegrad.ones(width))
        self.register_buffer("scale", tapegrad.tensor(0.5))

    @override
    def forward(self, x: Tensor) -> Tensor:
        assert_type(self.gain, nn.Parameter)
        change: Tensor = self.dropout(F.gelu(self.norm(self.linear(x))) * self.gain)
        return x + self.scale * change


class Classifier(nn.Module):
    def __init__(self, features: int, classes: int, width: int = 16) -> None:
        super().__init__()
        self.enter = nn.Linear(features, width)
        self.blocks = nn.ModuleList([Block(width, 0.1) for _ in range(2)])
        self.leave = nn.Sequential(nn.ReLU(), nn.Linear(width, classes))

    @override
    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        for block in self.blocks:
            x = block(x)
        result: Tensor = self.leave(x)
        return result


class Points(Dataset[tuple[Tensor, Tensor]]):
    """Points of the plane, and the quadrant that each is in."""

    def __init__(self, count: int) -> None:
        self.points = tapegrad.randn(count, 2)
        self.labels = (self.points > 0).long() @ tapegrad.tensor([1, 2])

    def __len__(self) -> int:
        return len(self.points)

    @override
    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.points[index], self.labels[index]


@dataclass
class Result:
    model: Classifier
    losses: list[float]
    accuracy: float


def train(epochs: int = 5) -> Result:
    tapegrad.manual_seed(0)
    training, held_out = random_split(Points(400), [320, 80])
    loader = DataLoader(training, batch_size=32, shuffle=True)
    model = Classifier(2, 4)
    optimizer = optim.AdamW(model.parameters(), lr=0.01, weight_decay=1e-4)
    schedule = CosineAnnealingLR(optimizer, T_max=epochs)
    losses: list[float] = []
    for _ in range(epochs):
        model.train()
        for points, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(points), labels)
            assert_type(loss, Tensor)
            loss.backward()
            assert_type(clip_grad_norm_(model.parameters(), 1.0), Tensor)
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
    model.eval()
    with tapegrad.inference_mode():
        pairs = [held_out[i] for i in range(len(held_out))]
        points = tapegrad.stack([point for point, _ in pairs])
        labels = tapegrad.stack([label for _, label in pairs])
        accuracy = (model(points).argmax(1) == labels).float().mean().item()
    return Result(model, losses, accuracy)


def parameters(model: nn.Module) -> dict[str, tuple[int, ...]]:
    assert_type(model.parameters(), Iterator[nn.Parameter])
    assert_type(next(model.named_parameters()), tuple[str, nn.Parameter])
    assert_type(model.state_dict(), dict[str, Any])
    return {name: tuple(value.shape) for name, value in model.named_parameters()}


def norms_of_gradients(model: nn.Module) -> dict[str, float]:
    """Hooks on tensors, and on modules."""
    norms: dict[str, float] = {}

    def note(name: str) -> Callable[[Tensor], None]:
        def hook(gradient: Tensor) -> None:
            norms[name] = gradient.norm().item()

        return hook

    def shape(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        assert isinstance(output, Tensor)

    handles = [value.register_hook(note(name)) for name, value in model.named_parameters()]
    handles.append(model.register_forward_hook(shape))
    model(tapegrad.ones(3, 2)).sum().backward()
    for handle in handles:
        handle.remove()
    return norms


def transforms() -> None:
    def loss(w: Tensor, x: Tensor) -> Tensor:
        return (w * x).sum().tanh()

    w, batch = tapegrad.ones(3), tapegrad.randn(5, 3)
    per_sample: Tensor = vmap(grad(loss), in_dims=(None, 0))(w, batch)
    assert per_sample.shape == (5, 3)
    curvature: Tensor = hessian(loss)(w, batch[0])
    slopes: Tensor = jacrev(loss)(w, batch[0])
    assert curvature.shape == (3, 3) and slopes.shape == (3,)
    value, pull = vjp(loss, w, batch[0])
    assert value.shape == () and callable(pull)
    (first,) = tapegrad.autograd.grad(loss(w.requires_grad_(), batch[0]), w, create_graph=True)
    assert_type(first, Tensor)

    def clipped(x: Tensor) -> Tensor:
        result: Tensor = Clipped.apply(x, 1.0)
        return result

    inputs = tapegrad.rand(3).double().requires_grad_()
    assert_type(gradcheck(clipped, (inputs,)), bool)


@tapegrad.compile
def squares(x: Tensor, y: Tensor) -> Tensor:
    return ((x - y) ** 2).mean()


def compiled() -> float:
    # A decorated function keeps its signature.
    assert_type(squares(tapegrad.ones(3), tapegrad.zeros(3)), Tensor)
    if TYPE_CHECKING:
        squares(tapegrad.ones(3))  # type: ignore[call-arg]
    return squares(tapegrad.ones(3), tapegrad.zeros(3)).item()


def draw() -> Tensor:
    prior, posterior = Normal(0.0, 1.0), Normal(tapegrad.zeros(3), tapegrad.ones(3))
    assert_type(posterior.rsample((2,)), Tensor)
    assert_type(posterior.log_prob(tapegrad.zeros(3)), Tensor)
    return kl_divergence(posterior, prior)


def save(model: Classifier) -> Classifier:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        tapegrad.save(model.state_dict(), path)
        again = Classifier(2, 4)
        again.load_state_dict(tapegrad.load(path))
    return again


def why(loss: Tensor) -> None:
    node = loss.grad_fn
    if node is not None:
        assert_type(node.name(), str)
        assert_type(node.formula, str | None)
        for before, number in node.next_functions:
            assert_type(number, int)
            assert before is None or before.name()


def main() -> None:
    tensors()
    result = train()
    assert result.losses[-1] < result.losses[0]
    assert parameters(result.model)["enter.weight"] == (16, 2)
    assert set(norms_of_gradients(result.model)) == set(parameters(result.model))
    transforms()
    assert compiled() == 1.0
    assert draw().shape == (3,)
    assert isinstance(save(result.model), Classifier)
    why(Clipped.apply(tapegrad.ones(2, requires_grad=True), 2.0).sum())
    for (batch,) in DataLoader(TensorDataset(tapegrad.ones(4, 2)), batch_size=2):
        assert isinstance(batch, Tensor)


if __name__ == "__main__":
    main()
