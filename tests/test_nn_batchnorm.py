"""Layers that keep statistics: against PyTorch, batch after batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from support import raises
from tapegrad import nn

SHAPES = {
    "BatchNorm1d": [(6, 3), (4, 3, 5)],
    "BatchNorm2d": [(4, 3, 2, 5)],
    "BatchNorm3d": [(2, 3, 2, 2, 3)],
    "SyncBatchNorm": [(4, 3), (4, 3, 5)],
    "InstanceNorm1d": [(4, 3, 5), (3, 5)],
    "InstanceNorm2d": [(4, 3, 2, 5), (3, 2, 5)],
    "InstanceNorm3d": [(2, 3, 2, 2, 3), (3, 2, 2, 3)],
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"affine": False},
    {"affine": True, "bias": False},
    {"affine": True, "track_running_stats": True, "momentum": 0.3},
    {"track_running_stats": False, "eps": 0.1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", SHAPES)
def test_training_and_evaluation(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    if name == "SyncBatchNorm":
        theirs: Any = torch.nn.BatchNorm1d
    else:
        theirs = getattr(torch.nn, name)
    for shape in SHAPES[name]:
        compare(torch, getattr(nn, name)(3, **options), theirs(3, **options), shape, name)


def test_plain_mean_over_all_batches() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    options = {"momentum": None}
    compare(torch, nn.BatchNorm1d(3, **options), torch.nn.BatchNorm1d(3, **options), (6, 3), "")


def compare(torch: Any, ours: Any, theirs: Any, shape: tuple, name: str) -> None:
    if name != "SyncBatchNorm":
        assert repr(ours) == repr(theirs)
    random = np.random.default_rng(0)
    for value in theirs.parameters():
        value.data.copy_(torch.from_numpy(random.normal(size=value.shape)))
    ours.load_state_dict({k: tg.from_numpy(v.numpy()) for k, v in theirs.state_dict().items()})
    for step in range(4):
        if step == 3:
            ours.eval()
            theirs.eval()
        values = random.normal(2, 3, shape).astype(np.float32)
        x, y = (lib.from_numpy(values).requires_grad_() for lib in (tg, torch))
        a, b = ours(x), theirs(y)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-4, 1e-5)
        for lib, layer, result, leaf in ((tg, ours, a, x), (torch, theirs, b, y)):
            layer.zero_grad()
            (result * lib.from_numpy(values[::-1].copy())).sum().backward()
            assert leaf.grad is not None
        for p, q in zip([x, *ours.parameters()], [y, *theirs.parameters()], strict=True):
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), 1e-4, 1e-4)
        state = ours.state_dict()
        assert list(state) == list(theirs.state_dict())
        for key, value in theirs.state_dict().items():
            np.testing.assert_allclose(state[key].numpy(), value.numpy(), 1e-5, 1e-6, err_msg=key)


def test_state_of_the_first_version() -> None:
    layer = nn.Sequential(nn.BatchNorm1d(2))
    layer(tg.randn(4, 2))
    state = {k: v for k, v in layer.state_dict().items() if not k.endswith("tracked")}
    fresh = nn.Sequential(nn.BatchNorm1d(2))
    assert fresh.load_state_dict(state).missing_keys == []
    assert fresh[0].num_batches_tracked.item() == 0


def test_what_the_layers_refuse() -> None:
    with raises(ValueError, "expected 2D or 3D input (got 1D input)"):
        nn.BatchNorm1d(3)(tg.ones(3))
    with raises(ValueError, "expected 4D input (got 2D input)"):
        nn.BatchNorm2d(3)(tg.ones(2, 3))
    with raises(RuntimeError, "running_mean should contain 4 elements not 3"):
        nn.BatchNorm1d(3)(tg.ones(2, 4))
    with raises(
        ValueError, "expected input's size at dim=1 to match num_features (3), but got: 4."
    ):
        nn.InstanceNorm1d(3, affine=True)(tg.ones(2, 4, 5))
    with pytest.warns(UserWarning, match="does not match num_features"):
        nn.InstanceNorm1d(3)(tg.ones(2, 4, 5))
    with raises(ValueError, "num_channels (4) must be divisible by num_groups (3)"):
        nn.GroupNorm(3, 4)


def test_statistics_change_together_or_not_at_all() -> None:
    F, x = tg.nn.functional, tg.randn(4, 2, 5)
    for norm in (F.batch_norm, F.instance_norm):
        for bad in (tg.ones(1).expand(2), tg.ones(2, requires_grad=True)):
            mean = tg.zeros(2)
            version = mean._version
            try:
                norm(x, mean, bad) if norm is F.instance_norm else norm(x, mean, bad, training=True)
            except RuntimeError:
                assert mean.tolist() == [0, 0] and mean._version == version
            else:
                assert bad.requires_grad


def test_no_channels() -> None:
    F = tg.nn.functional
    for shape in ((3, 0), (1, 0, 5)):
        x = tg.ones(shape, requires_grad=True)
        y = F.batch_norm(x, None, None, training=True)
        assert y.shape == shape
        assert tg.autograd.grad(y.sum(), x)[0].shape == shape
    assert tg._C.instance_norm(tg.ones(1, 0)).shape == (1, 0)


def test_summands_without_factors() -> None:
    """PyTorch's gradient of group_norm fails on them."""
    x, b = (tg.randn(*s, dtype=tg.float64, requires_grad=True) for s in ((2, 4, 3), (4,)))
    assert tg.autograd.gradcheck(lambda x, b: tg.group_norm(x, 2, None, b), (x, b))
    assert tg.autograd.gradgradcheck(lambda x, b: tg.group_norm(x, 2, None, b), (x, b))


def test_reset_and_copies() -> None:
    layer = nn.BatchNorm1d(2)
    layer(tg.randn(8, 2))
    layer.reset_parameters()
    assert layer.running_mean.tolist() == [0, 0] and layer.running_var.tolist() == [1, 1]
    assert layer.num_batches_tracked.item() == 0
    assert nn.SyncBatchNorm.convert_sync_batchnorm(layer) is layer


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_means_far_from_zero(offset: float) -> None:
    random = np.random.default_rng(1)
    for shape in ((64, 3), (4, 3, 50)):
        values = (random.normal(size=shape) + offset).astype(np.float32)
        x = tg.from_numpy(values).requires_grad_()
        y = nn.functional.batch_norm(x, None, None, training=True)
        exact = values.astype(np.float64)
        axes = (0, *range(2, exact.ndim))
        want = (exact - exact.mean(axes, keepdims=True)) / np.sqrt(
            exact.var(axes, keepdims=True) + 1e-5
        )
        np.testing.assert_allclose(y.detach().numpy(), want, 1e-5, 1e-5)
        (g,) = tg.autograd.grad((y**2).sum(), x)
        # The sum of squares does not depend on the input, but for eps.
        np.testing.assert_allclose(g.numpy(), 0, atol=1e-3)
