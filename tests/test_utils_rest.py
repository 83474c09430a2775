"""The small modules of utils: swapped tensors, DLPack capsules, shares of data sets."""

import weakref

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import raises


@both
def test_swap_tensors(lib):
    layer = lib.nn.Linear(2, 3)
    weight, other = layer.weight, lib.zeros(4, dtype=lib.float64)
    weight.note = "mine"
    weight.grad = lib.ones(3, 2)
    values = weight.tolist()
    lib.utils.swap_tensors(weight, other)
    assert layer.weight is weight and type(weight) is lib.Tensor and weight.dtype is lib.float64
    assert weight.shape == (4,) and not weight.requires_grad and weight.grad is None
    assert type(other) is lib.nn.Parameter and other.tolist() == values and other.requires_grad
    assert other.note == "mine" and not hasattr(weight, "note") and other.grad.shape == (3, 2)
    (other * 2).sum().backward()
    assert other.grad.tolist() == [[3.0, 3.0]] * 3


@both
def test_swap_integers_with_floats(lib):
    a, b = lib.ones(2, requires_grad=True), lib.arange(3)
    lib.utils.swap_tensors(a, b)
    assert a.tolist() == [0, 1, 2] and a.dtype is lib.int64 and not a.requires_grad
    assert b.requires_grad and b.is_leaf


@both
def test_tensors_that_cannot_be_swapped(lib):
    x, y = lib.ones(1), lib.ones(2)
    reference = weakref.ref(x)
    with raises(RuntimeError, "Cannot swap t1 because it has weakref associated with it"):
        lib.utils.swap_tensors(x, y)
    with raises(RuntimeError, "Cannot swap t2 because it has weakref associated with it"):
        lib.utils.swap_tensors(y, x)
    assert reference() is x

    class Slotted(lib.Tensor):
        __slots__ = ("extra",)

    with raises(RuntimeError, "Cannot swap t1 and t2 if they have different slots"):
        lib.utils.swap_tensors(lib.ones(1).as_subclass(Slotted), y)


def test_results_are_not_swapped():
    x = tg.ones(1, requires_grad=True) * 2
    with raises(RuntimeError, "Cannot swap t2, which is the result of an operation"):
        tg.utils.swap_tensors(tg.ones(1), x)


@both
def test_dlpack(lib):
    x = lib.arange(4.0)
    y = lib.utils.dlpack.from_dlpack(lib.utils.dlpack.to_dlpack(x))
    y[0] = 9
    assert x[0].item() == 9.0
    assert lib.utils.dlpack.from_dlpack(np.arange(3)).tolist() == [0, 1, 2]
    assert lib.utils.dlpack.DLDeviceType.kDLCPU == 1


@both
def test_switches_without_effect(lib):
    import importlib

    backcompat = importlib.import_module(f"{lib.__name__}.utils.backcompat")
    assert backcompat.broadcast_warning.enabled is backcompat.keepdim_warning.enabled is False
    backcompat.keepdim_warning.enabled = False
    assert lib.utils.deterministic.fill_uninitialized_memory is True


@both
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("count", [1, 2, 7, 10, 12])
def test_shares_of_a_data_set(lib, count, drop_last):
    kind = lib.utils.data.DistributedSampler
    assert lib.utils.data.distributed.DistributedSampler is kind
    parts = [kind(range(count), 3, rank, False, drop_last=drop_last) for rank in range(3)]
    drawn = [list(part) for part in parts]
    size = count // 3 if drop_last else -(-count // 3)
    assert [len(part) for part in parts] == [len(part) for part in drawn] == [size] * 3
    together = [index for row in zip(*drawn, strict=True) for index in row]
    assert together == [index % count for index in range(3 * size)]


@both
def test_shares_are_shuffled_alike(lib):
    parts = [lib.utils.data.DistributedSampler(range(10), 2, rank, seed=3) for rank in (0, 1)]
    first = [list(part) for part in parts]
    assert sorted(first[0] + first[1]) == list(range(10)) and first == [list(p) for p in parts]
    for part in parts:
        part.set_epoch(1)
    second = [list(part) for part in parts]
    assert sorted(second[0] + second[1]) == list(range(10)) and second != first
    # The order is that of this seed.
    assert first[0] == lib.randperm(10, generator=lib.Generator().manual_seed(3)).tolist()[::2]
    loader = lib.utils.data.DataLoader(range(10), batch_size=2, sampler=parts[0])
    assert [i for batch in loader for i in batch.tolist()] == second[0]


def test_shares_begin_where_a_training_was_stopped():
    sampler = tg.utils.data.DistributedSampler(range(11), 2, 1, seed=3)
    sampler.set_epoch(4)
    whole = list(sampler)
    sampler.set_epoch(4, start=4)
    loader = tg.utils.data.DataLoader(range(11), batch_size=2, sampler=sampler)
    assert [batch.tolist() for batch in loader] == [whole[4:]]
    assert list(sampler) == whole and len(sampler) == 6
    sampler.set_epoch(5, start=9)  # beyond its end
    assert list(sampler) == []


@both
def test_errors_of_shares(lib):
    kind = lib.utils.data.DistributedSampler
    with raises(ValueError, "Invalid rank 3, rank should be in the interval [0, 2]"):
        kind(range(3), 3, 3)
    with raises(ValueError, "Default process group has not been initialized, please make sure to"):
        kind(range(3))


@both
def test_what_workers_know_has_its_place(lib):
    data = lib.utils.data
    assert data._utils.worker.get_worker_info is data.get_worker_info
    assert data._utils.worker.WorkerInfo.__name__ == "WorkerInfo"
    assert data._utils.worker.get_worker_info() is None
