"""What holds memory: reports on graphs, and tables of models."""

from __future__ import annotations

from typing import Any

import pytest

import tapegrad
from tapegrad import nn
from tapegrad.autograd import _memory, memory_report, summary
from tapegrad.autograd._costs import multiply_adds, readable_bytes
from tapegrad.utils.checkpoint import checkpoint

F = nn.functional


def leaf(*shape: int) -> Any:
    return tapegrad.randn(*shape, requires_grad=True)


# Reports ----------------------------------------------------------------------------------------


def test_results_and_inputs() -> None:
    x = leaf(1000)
    report = memory_report((x.exp() * x).tanh().sum())
    # exp keeps its result, which the product keeps as well; x is a leaf; tanh keeps its result.
    assert report.total == 2 * 4000 and report.parameters == 4000
    assert [(row.operation, row.bytes, row.saved) for row in report.rows] == [
        ("exp", 4000, ("result",)),
        ("tanh", 4000, ("result",)),
        ("mul", 0, ("self",)),
    ]


def test_views_share_memory() -> None:
    x = leaf(10)
    data = tapegrad.randn(100)
    loss = (data.view(10, 10) * x).sum() + (data.view(20, 5) * x[:5]).sum()
    assert memory_report(loss).total == 400


def test_a_freed_graph_holds_nothing() -> None:
    x = leaf(10)
    loss = x.exp().sum()
    assert memory_report(loss).total == 40
    loss.backward()
    assert memory_report(loss).total == 0


def test_checkpoints_hold_their_inputs_alone() -> None:
    x = leaf(100)
    y = x * 2
    plain = memory_report(y.exp().tanh().sin().sum()).total
    kept = memory_report(checkpoint(lambda z: z.exp().tanh().sin(), y, use_reentrant=False).sum())
    assert plain == 800
    assert kept.total == 0  # what a checkpoint packs is computed again


def test_the_peak_of_the_backward_pass() -> None:
    x = leaf(1000)
    report = memory_report(x.exp().exp().sum())
    # Two results, the gradient of one of them, and of what it comes from.
    assert (report.total, report.peak) == (8000, 16_000)


def test_a_report_says_why() -> None:
    x = leaf(100)
    text = str(memory_report(x.tanh().sum()))
    assert "400 B" in text and "grad * (1 - result * result)" in text
    assert "parameters and other leaves" in text


class Doubled(tapegrad.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        result = 2 * x
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return 2 * grad


def test_custom_functions_hold_what_they_save() -> None:
    (row,) = memory_report(Doubled.apply(leaf(100)).sum()).rows
    assert (row.operation, row.saved, row.bytes) == ("doubled", ("saved_tensors[0]",), 400)


def test_the_line_that_holds_most() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    x = leaf(100, 4)
    small = model(x)
    large = small.repeat(1, 10).exp()  # holds most
    report = memory_report(large.sum())
    first = report.rows[0]
    assert first.place is not None and first.place.file == __file__
    assert first.place.text == "large = small.repeat(1, 10).exp()  # holds most"
    assert first.bytes == 16_000 == next(iter(report.by_line().values()))
    assert report.by_module()["1"] == 1600
    assert f"{first.place}" in str(report)


def test_losses_that_are_added_up() -> None:
    w = leaf(10)
    total: Any = 0.0
    for _ in range(12):
        total = total + (w.exp()).sum()
    assert any("sum of 12 losses" in text for text in memory_report(total).advice)
    assert not memory_report(w.exp().sum()).advice


def test_no_graph() -> None:
    with pytest.raises(RuntimeError, match="there is no graph"):
        memory_report(tapegrad.ones(1))


class Block(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)

    def forward(self, x: Any) -> Any:
        return x + self.down(F.gelu(self.up(x)))


class Net(nn.Module):
    """Blocks, with a checkpoint around each if that is asked for."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(16) for _ in range(blocks))
        self.checkpointed = False

    def forward(self, x: Any) -> Any:
        x = x * 1
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.checkpointed else block(x)
        return x


@pytest.fixture
def module_paths(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes nodes know the modules that they were made in, by hooks on the modules."""

    def watch(model: nn.Module) -> None:
        spans: list[tuple[int, int, str]] = []
        starts: list[int] = []

        def now() -> int:
            node: Any = (tapegrad.ones(1, requires_grad=True) * 1).grad_fn
            number: int = node._sequence_nr()
            return number

        for path, module in model.named_modules():
            module.register_forward_pre_hook(lambda *_: starts.append(now()))
            module.register_forward_hook(
                lambda *_, path=path: spans.append((starts.pop(), now(), path))
            )

        def module_of(node: Any) -> str:
            number = node._sequence_nr()
            around = [(end - start, path) for start, end, path in spans if start < number < end]
            return min(around)[1] if around else ""

        monkeypatch.setattr(_memory, "module_of", module_of)

    return watch


def test_the_advice_on_checkpoints_is_right(module_paths: Any) -> None:
    """What it says is saved is saved."""
    model = Net(4)
    module_paths(model)
    x = leaf(32, 16)
    before = memory_report(model(x).sum())
    (advice,) = [text for text in before.advice if "checkpointing" in text]
    model.checkpointed = True
    after = memory_report(model(x).sum())
    # The inputs of blocks, which checkpoints hold, are not seen by the report.
    inputs = 4 * 32 * 16 * 4
    assert f"saves {readable_bytes(before.total - after.total - inputs)} of " in advice
    assert "each of blocks.0 to blocks.3" in advice
    assert f"of {readable_bytes(before.total)}" in advice
    cost = int(advice.split("costs ")[1].split(" %")[0])
    assert 30 <= cost <= 34  # all of the forward pass, a third of a step
    assert all(row.module.startswith("blocks.*") for row in before.rows if row.place)
    by_module = before.by_module()
    assert by_module["blocks.0.down"] == 32 * 64 * 4
    assert sum(by_module.values()) == before.total


# Multiplications --------------------------------------------------------------------------------

PRODUCTS = {
    "mm": (lambda: leaf(3, 4) @ leaf(4, 5), 60),
    "mm with data": (lambda: tapegrad.ones(3, 4) @ leaf(4, 5), 60),
    "bmm": (lambda: tapegrad.bmm(leaf(2, 3, 4), leaf(2, 4, 5)), 120),
    "mv": (lambda: leaf(3, 4) @ leaf(4), 12),
    "dot": (lambda: leaf(4) @ leaf(4), 4),
    "linear": (lambda: F.linear(tapegrad.ones(3, 4), leaf(5, 4), leaf(5)), 60),
    "linear without bias": (lambda: F.linear(leaf(3, 4), leaf(5, 4)), 60),
    "mm with a constant": (lambda: leaf(3, 4) @ tapegrad.ones(4, 5), 60),
    "linear of a frozen layer": (lambda: F.linear(leaf(3, 4), tapegrad.ones(5, 4), leaf(5)), 60),
    "conv2d": (lambda: F.conv2d(leaf(2, 3, 8, 8), leaf(4, 3, 3, 3)), 2 * 4 * 36 * 27),
    "grouped conv1d": (lambda: F.conv1d(leaf(1, 4, 8), leaf(4, 2, 3), groups=2), 4 * 6 * 2 * 3),
    "exp": (lambda: leaf(3).exp(), 0),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_multiply_adds(name: str) -> None:
    function, expected = PRODUCTS[name]
    assert multiply_adds(function().grad_fn) == expected


# Summaries --------------------------------------------------------------------------------------


def test_summary() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    model.append(nn.Linear(4 * 36, 10))
    table = summary(model, (2, 1, 8, 8))
    rows = [
        (layer.path, layer.kind, layer.output_shape, layer.parameters) for layer in table.layers
    ]
    assert rows == [
        ("", "Sequential", (2, 10), 0),
        ("0", "Conv2d", (2, 4, 6, 6), 40),
        ("1", "BatchNorm2d", (2, 4, 6, 6), 8),
        ("2", "ReLU", (2, 4, 6, 6), 0),
        ("3", "Flatten", (2, 144), 0),
        ("4", "Linear", (2, 10), 1450),
    ]
    assert table.parameters == 1498
    assert table.multiply_adds == 2 * 4 * 36 * 9 + 2 * 10 * 144
    assert table.saved == sum(layer.saved for layer in table.layers[1:])
    assert "BatchNorm2d" in str(table) and "1,450" in str(table)


def test_summary_leaves_the_model_and_the_generator_alone() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout())
    mean, state = model[0].running_mean.clone(), tapegrad.get_rng_state()
    summary(model, tapegrad.ones(5, 3))
    assert tapegrad.equal(model[0].running_mean, mean)
    assert tapegrad.equal(tapegrad.get_rng_state(), state)
    assert not model[0]._forward_hooks and not model[0]._forward_pre_hooks


def test_a_layer_that_is_called_twice() -> None:
    shared = nn.Linear(3, 3)
    table = summary(nn.Sequential(shared, nn.Tanh(), shared), (2, 3))
    assert [layer.path for layer in table.layers] == ["", "0", "1", "0"]
    assert table.parameters == 12


def test_frozen_parameters_and_several_inputs() -> None:
    model = nn.Bilinear(2, 3, 4)
    model.bias.requires_grad_(False)
    table = summary(model, (5, 2), tapegrad.ones(5, 3))
    assert (table.parameters, table.trainable) == (28, 24)
