"""What ranks run in tests/test_distributed.py: ``mpiexec -n 2 python this_file FUNCTION...``."""

from __future__ import annotations

import copy
import hashlib
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import numpy as np

import tapegrad as tg
from tapegrad import distributed as dist
from tapegrad import nn
from tapegrad.distributed import ReduceOp
from tapegrad.nn.parallel import DistributedDataParallel as DDP
from tapegrad.utils.data import DataLoader, DistributedSampler, TensorDataset

dist.init_process_group(timeout=timedelta(seconds=float(os.environ.get("TIMEOUT", "60"))))
RANK, SIZE = dist.get_rank(), dist.get_world_size()
FLOATS = (tg.float32, tg.float64, tg.float16, tg.bfloat16)


def raised(kind: type[Exception], function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    try:
        function(*args, **kwargs)
    except kind as error:
        return str(error)
    raise AssertionError(f"{function} has raised nothing")


def say(*what: Any) -> None:
    if RANK == 0:
        print(*what, flush=True)


def randoms(*shape: int, seed: int = 0, dtype: Any = tg.float32) -> tg.Tensor:
    return tg.randn(*shape, generator=tg.Generator().manual_seed(seed)).to(dtype)


def bits(tensors: Iterable[tg.Tensor]) -> str:
    flat = [tensor.detach().reshape(-1).view(tg.uint8) for tensor in tensors]
    return hashlib.sha256(b"".join(each.numpy().tobytes() for each in flat)).hexdigest()


# ---------------------------------------------------------------------------- collectives


def copies() -> None:
    for count in (0, 1, 5, 100_003):
        for dtype in (*FLOATS, tg.int64, tg.int8, tg.uint8, tg.bool):
            each = [(randoms(count, seed=rank) * 9).to(dtype) for rank in range(SIZE)]
            mine = each[RANK]
            x = mine.clone()
            dist.broadcast(x, src=1)
            assert x.equal(each[1])
            got = [tg.zeros(count, dtype=dtype) for _ in range(SIZE)]
            dist.all_gather(got, mine)
            assert all(a.equal(b) for a, b in zip(got, each, strict=True))
            together = tg.zeros(SIZE, count, dtype=dtype)
            dist.all_gather_into_tensor(together, mine)
            assert together.equal(tg.stack(each))
            got = [tg.zeros(count, dtype=dtype) for _ in range(SIZE)]
            dist.gather(mine, got if RANK == 1 else None, dst=1)
            assert RANK != 1 or all(a.equal(b) for a, b in zip(got, each, strict=True))
            x = tg.zeros(count, dtype=dtype)
            dist.scatter(x, each if RANK == 1 else None, src=1)
            assert x.equal(mine)
    x = tg.full((), float(RANK))
    dist.broadcast(x, 0)
    assert x.item() == 0.0
    column = tg.zeros(3, 2).t()[0]  # lists need not be contiguous
    dist.all_gather([column, *(tg.zeros(3) for _ in range(SIZE - 1))], tg.arange(3.0))
    assert column.tolist() == [0, 1, 2]


def reductions() -> None:
    fold = {
        ReduceOp.SUM: np.add,
        ReduceOp.PRODUCT: np.multiply,
        ReduceOp.MIN: np.minimum,
        ReduceOp.MAX: np.maximum,
    }
    bitwise = {
        ReduceOp.BAND: np.bitwise_and,
        ReduceOp.BOR: np.bitwise_or,
        ReduceOp.BXOR: np.bitwise_xor,
    }
    for count in (1, 7, 2_001, 300_007):  # in one message and in two
        for dtype in (tg.float32, tg.float64, tg.int64, tg.int32, tg.uint8):
            each = [(randoms(count, seed=rank) * 9).to(dtype) for rank in range(SIZE)]
            arrays = [x.numpy() for x in each]
            for op, function in {**fold, **({} if dtype.is_floating_point else bitwise)}.items():
                wanted = arrays[0]
                for array in arrays[1:]:  # in the order of ranks, bit for bit
                    wanted = function(wanted, array)
                x = each[RANK].clone()
                dist.all_reduce(x, op=op)
                assert np.array_equal(x.numpy(), wanted), (count, dtype, op)
                x = each[RANK].clone()
                dist.reduce(x, dst=SIZE - 1, op=op)
                assert np.array_equal(x.numpy(), wanted if RANK == SIZE - 1 else arrays[RANK])
    x = tg.tensor([True, RANK == 0, False])
    dist.all_reduce(x, op=ReduceOp.MIN)
    assert x.tolist() == [True, False, False]
    x = tg.tensor([1.0, float("nan") if RANK == 1 else 0.0])
    dist.all_reduce(x, op=ReduceOp.MAX)
    assert x[1].isnan()
    parts = [tg.full((5,), float(RANK + 10 * k)) for k in range(SIZE)]
    x = tg.zeros(5)
    dist.reduce_scatter(x, parts)
    assert x.tolist() == [sum(range(SIZE)) + 10.0 * RANK * SIZE] * 5
    y = tg.zeros(5)
    dist.reduce_scatter_tensor(y, tg.cat(parts), op=ReduceOp.AVG)
    assert tg.allclose(y, x / SIZE)


def sums_are_rounded_once() -> None:
    """Halves in float32, and what is asked for in double."""
    for count in (5, 200_001):
        for dtype in FLOATS:
            each = [randoms(count, seed=rank, dtype=dtype) for rank in range(SIZE)]
            for reduce_dtype in (None, tg.float32, tg.float64):
                wide = reduce_dtype or (dtype if dtype.itemsize >= 4 else tg.float32)
                total = each[0].to(wide, copy=True)
                for x in each[1:]:
                    total += x.to(wide)
                x = each[RANK].clone()
                dist.all_reduce(x, op=ReduceOp.AVG, reduce_dtype=reduce_dtype)
                assert x.equal((total / SIZE).to(dtype)), (count, dtype, reduce_dtype)
    x = tg.tensor([[2.0**24, 1.0, 1.0, -(2.0**24)][RANK]])  # with four ranks
    dist.all_reduce(x, reduce_dtype=tg.float64)
    assert SIZE != 4 or x.item() == 2.0


def begun_before_they_are_waited_for() -> None:
    works = [dist.all_reduce(tg.full((k * 50_000 + 1,), 1.0), async_op=True) for k in range(6)]
    works.append(dist.broadcast(tg.full((3,), float(RANK)), src=0, async_op=True))
    works.append(dist.barrier(async_op=True))
    for work in reversed(works[:-1]):
        assert work.wait() is True and work.is_completed() and work.is_success()
    assert all(work.result()[0].eq(SIZE).all() for work in works[:6])
    while not works[-1].is_completed():
        time.sleep(1e-4)
    if RANK == 1:  # more than 1 s behind
        time.sleep(1.2)
    dist.barrier()


def objects_and_messages() -> None:
    each: list[Any] = [None] * SIZE
    dist.all_gather_object(each, {"rank": RANK, "text": "x" * 1000 * RANK})
    assert [x["rank"] for x in each] == list(range(SIZE)) and len(each[1]["text"]) == 1000
    got: Any = [None] * SIZE if RANK == 1 else None
    dist.gather_object(RANK, got, dst=1)
    assert RANK != 1 or got == list(range(SIZE))
    shared = ["settings", tg.ones(2)] if RANK == 1 else [None, None]
    dist.broadcast_object_list(shared, src=1)
    assert shared[0] == "settings" and shared[1].tolist() == [1, 1]
    if RANK == 0:
        dist.send(tg.arange(4), 1)
        work = dist.isend(tg.ones(3), 1, tag=7)
        assert work is not None and work.wait()
    elif RANK == 1:
        late = tg.zeros(3)
        work = dist.irecv(late, 0, tag=7)
        x = tg.zeros(4, dtype=tg.int64)
        assert dist.recv(x) == 0 and x.tolist() == [0, 1, 2, 3]
        assert work is not None and work.wait() and late.tolist() == [1, 1, 1]
    if RANK == 0:
        dist.send(tg.ones(2), 1)
    elif RANK == 1:
        said = raised(RuntimeError, dist.recv, tg.zeros(3), 0)
        assert said == "recv from rank 0: 8 bytes have arrived for a tensor of 12 bytes", said
    assert "should not be the same" in raised(ValueError, dist.send, tg.ones(1), RANK)


def groups() -> None:
    assert dist.group.WORLD is not None and dist.get_process_group_ranks() == list(range(SIZE))
    pair = dist.new_group([2, 0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        x = tg.tensor([float(RANK + 1)])
        dist.all_reduce(x, group=pair)
    if RANK == 1:
        assert pair == dist.GroupMember.NON_GROUP_MEMBER and dist.get_rank(pair) == -1
        assert dist.get_world_size(pair) == -1 and x.item() == 2 and len(caught) == 1
    else:
        assert x.item() == 4 and dist.get_world_size(pair) == 2
        assert dist.get_rank(pair) == RANK // 2 and dist.get_process_group_ranks(pair) == [0, 2]
        assert dist.get_global_rank(pair, 1) == 2 and dist.get_group_rank(pair, 2) == 1
        dist.broadcast(x.fill_(RANK), src=2, group=pair)
        assert x.item() == 2
        dist.broadcast(x.fill_(RANK), group=pair, group_src=0)
        assert x.item() == 0
        said = raised(ValueError, dist.broadcast, x, src=1, group=pair)
        assert said == "Global rank 1 is not part of group [0, 2]"
        dist.destroy_process_group(pair)
        assert "destroyed" in raised(RuntimeError, dist.all_reduce, x, group=pair)
    dist.barrier()
    dist.destroy_process_group()
    assert not dist.is_initialized()
    dist.init_process_group("mpi")
    dist.all_reduce(x.fill_(1))
    assert x.item() == SIZE


def refusals() -> None:
    x = tg.ones(2, 3)
    assert raised(ValueError, dist.all_reduce, x.t()) == "Tensors must be contiguous"
    assert "Expecting a tensor" in raised(TypeError, dist.all_reduce, [1.0])
    assert "non-integral" in raised(RuntimeError, dist.all_reduce, x, op=ReduceOp.BAND)
    assert "AVG" in raised(RuntimeError, dist.all_reduce, tg.arange(3), op=ReduceOp.AVG)
    assert "reduce_dtype" in raised(TypeError, dist.all_reduce, x, reduce_dtype=tg.int64)
    assert "reduce_dtype" in raised(
        TypeError, dist.all_reduce, tg.arange(3), reduce_dtype=tg.float64
    )
    assert "float64" in raised(
        TypeError, dist.all_gather, [tg.zeros(2, 3, dtype=tg.float64)] * SIZE, x
    )
    assert "elements" in raised(ValueError, dist.all_gather, [tg.zeros(2)] * SIZE, x)
    assert "tensor_list" in raised(ValueError, dist.all_gather, [x], x)
    assert "not part of group" in raised(ValueError, dist.broadcast, x, SIZE)
    assert "Must specify" in raised(ValueError, dist.broadcast, x)
    assert "twice" in raised(ValueError, dist.init_process_group)
    assert "from 0 to" in raised(ValueError, dist.new_group, [0, SIZE])
    if RANK == 0:
        assert "must be specified" in raised(ValueError, dist.gather, x)
    else:
        assert "must NOT" in raised(ValueError, dist.gather, x, [x] * SIZE)
    dist.barrier()  # nothing has been sent


def the_tape_sees_it() -> None:
    w = tg.ones(3, requires_grad=True)
    x = tg.ones(3)
    y = (w * x).sum()
    dist.all_reduce(x)  # overwrites what backward needs
    assert "modified by an inplace operation" in raised(RuntimeError, y.backward)
    dist.all_reduce(w)  # outside of the tape
    assert w.is_leaf and w.tolist() == [float(SIZE)] * 3

    @tg.compile
    def reduced(x: tg.Tensor) -> tg.Tensor:
        y = x * 2
        dist.all_reduce(y)
        return y

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for value in (1.0, 3.0, 4.0):
            assert reduced(tg.full((2,), value)).tolist() == [2 * value * SIZE] * 2
    assert "tapegrad.distributed" in str(caught[0].message), caught[0].message


def threads() -> None:
    say(tg.get_num_threads())


# ---------------------------------------------------------------------------- DDP


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(20, 64)
        self.norm = nn.LayerNorm(64)
        self.second = nn.Linear(64, 128)
        self.last = nn.Linear(128, 10)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        x = self.norm(self.first(x)).tanh()
        return self.last(self.second(x).relu())


X = randoms(48, 20, seed=5)
Y = tg.randint(10, (48,), generator=tg.Generator().manual_seed(6))
PART = slice(RANK * 48 // SIZE, (RANK + 1) * 48 // SIZE)
LOSS = nn.CrossEntropyLoss()


def seeded(seed: int, make: Callable[[], Any] = Net) -> Any:
    tg.manual_seed(seed)
    return make()


def gradients_of_the_whole_batch() -> None:
    whole = seeded(0)
    other = tg.optim.SGD(whole.parameters(), lr=0.1)
    runs: list[list[tg.Tensor]] = []
    for kwargs in (
        {},
        {"bucket_cap_mb": 0.01},  # several buckets
        {"bucket_cap_mb": 1e-6},  # one for each parameter
        {"bucket_cap_mb": 0.01, "gradient_as_bucket_view": True},
        {"bucket_cap_mb": 0.01, "find_unused_parameters": True},
        {"reduce_dtype": tg.float64},
    ):
        model = seeded(RANK)  # DDP makes them alike
        ddp = DDP(model, **kwargs)
        assert bits(model.parameters()) == bits(seeded(0).parameters())
        optimizer = tg.optim.SGD(ddp.parameters(), lr=0.1)
        whole.load_state_dict(seeded(0).state_dict())
        for step in range(4):
            optimizer.zero_grad(set_to_none=step % 2 == 0)
            LOSS(ddp(X[PART]), Y[PART]).backward()
            other.zero_grad()
            LOSS(whole(X), Y).backward()
            for (name, a), b in zip(model.named_parameters(), whole.parameters(), strict=True):
                assert (a.grad - b.grad).abs().max() < 1e-6, (name, kwargs)
            optimizer.step()
            other.step()
        everywhere: list[Any] = [None] * SIZE
        dist.all_gather_object(everywhere, bits(model.parameters()))
        assert len(set(everywhere)) == 1
        runs.append(list(model.parameters()))
    # Buckets do not change a bit.
    assert len({bits(run) for run in runs[:5]}) == 1
    say(bits(runs[0]), bits(runs[5]))


def gradients_add_up_without_sync() -> None:
    ddp = DDP(seeded(0), bucket_cap_mb=0.01)
    whole = seeded(0)
    for k in range(3):
        pieces = (X[PART] + k, Y[PART])
        if k < 2:
            with ddp.no_sync():
                LOSS(ddp(pieces[0]), pieces[1]).backward()
        else:
            local = [p.grad.clone() for p in ddp.parameters()]
            LOSS(ddp(pieces[0]), pieces[1]).backward()
        LOSS(whole(X + k), Y).backward()
    for a, b, c in zip(ddp.parameters(), whole.parameters(), local, strict=True):
        assert tg.allclose(a.grad, b.grad, atol=2e-6, rtol=0) and not a.grad.equal(c)
    # Without zero_grad, what was averaged stays, and new gradients are added.
    LOSS(ddp(X[PART]), Y[PART]).backward()
    LOSS(whole(X), Y).backward()
    for a, b in zip(ddp.parameters(), whole.parameters(), strict=True):
        assert tg.allclose(a.grad, b.grad, atol=2e-6, rtol=0)


class Branches(nn.Module):
    """Rank k uses branch k; nobody uses the last."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(3, 3)
        self.branches = nn.ModuleList(nn.Linear(3, 2) for _ in range(SIZE + 1))

    def forward(self, x: tg.Tensor, branch: int) -> dict[str, tg.Tensor]:
        x = self.trunk(x)
        return {"out": self.branches[branch](x), "unused": self.branches[branch](x)}


def unused_parameters() -> None:
    x = randoms(4, 3, seed=RANK)
    ddp = DDP(seeded(0, Branches), find_unused_parameters=True, bucket_cap_mb=1e-5)
    alone = seeded(0, Branches)
    nobody = ddp.module.branches[SIZE].weight
    nobody.grad = tg.ones(2, 3)
    for _ in range(2):
        ddp.zero_grad()
        alone.zero_grad()
        ddp(x, RANK)["out"].sum().backward()
        for rank in range(SIZE):
            (alone(randoms(4, 3, seed=rank), rank)["out"].sum() / SIZE).backward()
        for (name, a), b in zip(ddp.module.named_parameters(), alone.parameters(), strict=True):
            if b.grad is None:
                assert a.grad is None, name
            else:
                assert tg.allclose(a.grad, b.grad, atol=1e-6), name

    class Sometimes(nn.Linear):
        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return super().forward(x) if RANK == 0 else x

    ddp = DDP(Sometimes(3, 3), find_unused_parameters=True)
    for _ in range(2):
        ddp.zero_grad()
        loss = ddp(x).sum()
        if RANK == 0:
            loss.backward()
        assert tg.allclose(ddp.module.bias.grad, tg.full((3,), 4 / SIZE))


def unused_parameters_are_refused() -> None:
    """In the next forward pass as in PyTorch, and before an optimiser uses the gradients."""
    ddp = DDP(seeded(0, Branches))
    optimizer = tg.optim.SGD(ddp.parameters(), lr=0.1)
    ddp(tg.ones(4, 3), 0)["out"].sum().backward()
    for step in (lambda: ddp(tg.ones(4, 3), 0), optimizer.step):
        said = raised(RuntimeError, step)
        assert said.startswith("Expected to have finished reduction in the prior iteration"), said
        names = ", ".join(f"branches.{k}.weight, branches.{k}.bias" for k in range(1, SIZE + 1))
        assert f"Parameters which did not receive grad for rank {RANK}: {names}\n" in said, said
    tg.optim.SGD(nn.Linear(1, 1).parameters()).step()  # others may go on


def gradients_of_one_process_are_refused() -> None:
    ddp = DDP(seeded(0))
    optimizer = tg.optim.SGD(ddp.parameters(), lr=0.1)
    loss = LOSS(ddp(X[PART]), Y[PART])
    loss.backward(retain_graph=True)
    loss.backward()  # a second time
    said = raised(RuntimeError, optimizer.step)
    assert "first.weight" in said and "this process alone" in said, said
    optimizer.zero_grad()
    with ddp.no_sync():
        LOSS(ddp(X[PART]), Y[PART]).backward()
    optimizer.step()  # on purpose
    LOSS(ddp.module(X[PART]), Y[PART]).backward()
    optimizer.zero_grad()
    LOSS(ddp(X[PART]), Y[PART]).backward()
    optimizer.step()

    class Twice(nn.Module):
        """Its first layer gets gradients from two passes within the pass."""

        def __init__(self) -> None:
            super().__init__()
            self.layer, self.other = nn.Linear(20, 20), nn.Linear(20, 10)
            self.late = nn.Linear(20, 20)

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            if self.late is not None:
                x = self.late(x)
            for _ in range(2):
                x = tg.utils.checkpoint.checkpoint(self.layer, x, use_reentrant=True)
            return self.other(x)

    x = X[PART].clone().requires_grad_()
    ddp = DDP(Twice())
    said = raised(RuntimeError, LOSS(ddp(x), Y[PART]).backward)
    assert "ready only once" in said and "layer." in said, said
    model = Twice()
    model.late = None
    ddp = DDP(model)  # all others have been reduced when they come the second time
    LOSS(ddp(x), Y[PART]).backward()
    said = raised(RuntimeError, tg.optim.SGD(ddp.parameters()).step)
    assert "layer.weight, layer.bias are those of this process alone" in said, said


def several_passes() -> None:
    """Two forward passes under one backward, two losses over different parameters, other dtypes."""
    ddp = DDP(seeded(0))
    whole = seeded(0)
    (LOSS(ddp(X[PART]), Y[PART]) + LOSS(ddp(X[PART] + 1), Y[PART])).backward()
    (LOSS(whole(X), Y) + LOSS(whole(X + 1), Y)).backward()
    for a, b in zip(ddp.parameters(), whole.parameters(), strict=True):
        assert tg.allclose(a.grad, b.grad, atol=1e-6)

    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(2, 1), nn.Linear(2, 1, dtype=tg.float64)
            self.c = nn.Linear(2, 1, dtype=tg.bfloat16)

        def forward(self, x: tg.Tensor) -> tuple[tg.Tensor, ...]:
            return self.a(x), self.b(x.double()), self.c(x.bfloat16())

    ddp = DDP(seeded(0, Heads))
    for out in ddp(tg.full((4, 2), float(RANK))):
        out.sum().backward()
    mean = 4 * sum(range(SIZE)) / SIZE
    for head in (ddp.module.a, ddp.module.b, ddp.module.c):
        assert head.bias.grad.item() == 4 and abs(head.weight.grad[0, 0].item() - mean) < 0.02


def buffers() -> None:
    def make() -> nn.Sequential:
        return nn.Sequential(nn.Linear(20, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))

    ddp, apart = DDP(seeded(RANK, make)), DDP(seeded(RANK, make), broadcast_buffers=False)
    for model in (ddp, apart):
        for _ in range(2):
            LOSS(model(X[PART]), Y[PART]).backward()
    mine = ddp.module[1].running_mean.clone()
    ddp(X[PART]).sum().backward()  # begins with those of rank 0
    first: list[Any] = [None] * SIZE
    dist.all_gather_object(first, mine.tolist())
    assert first[0] != first[1]
    statistics = seeded(0, make)[1]
    statistics.running_mean.copy_(tg.tensor(first[0]))
    statistics(ddp.module[0](X[PART]))
    assert tg.allclose(statistics.running_mean, ddp.module[1].running_mean)
    dist.all_gather_object(first, apart.module[1].running_mean.tolist())
    assert first[0] != first[1] and ddp.module[1].num_batches_tracked.item() == 3


def modules_that_are_refused() -> None:
    assert "not needed" in raised(RuntimeError, DDP, nn.ReLU())
    assert "uninitialized" in raised(RuntimeError, DDP, nn.LazyLinear(2))
    assert "device_ids [0]" in raised(ValueError, DDP, nn.Linear(1, 1), device_ids=[0])
    assert "static_graph" in raised(ValueError, DDP, nn.Linear(1, 1), static_graph=True)
    assert "reduce_dtype" in raised(TypeError, DDP, nn.Linear(1, 1), reduce_dtype=tg.int32)
    said = raised(RuntimeError, DDP, nn.Linear(2, 3 if RANK == 1 else 4))
    assert said == (
        "DDP expects same model across all ranks, but ranks 0 and 1 differ: rank 0 has 2 "
        "parameters and buffers, rank 1 has 2; the first that differ are "
        "'weight: float32 [4, 2], requires_grad' and 'weight: float32 [3, 2], requires_grad'"
    ), said
    said = raised(RuntimeError, DDP, nn.Linear(2, 3, bias=RANK != 1))
    assert said.endswith(
        "rank 1 has 1; the first that differ are 'bias: float32 [3], requires_grad'"
    )


def states() -> None:
    ddp = DDP(seeded(0))
    assert list(ddp.state_dict()) == [f"module.{name}" for name in seeded(0).state_dict()]
    twin = copy.deepcopy(ddp)
    for model in (ddp, twin):
        LOSS(model(X[PART]), Y[PART]).backward()
    assert bits(p.grad for p in ddp.parameters()) == bits(p.grad for p in twin.parameters())
    ddp.load_state_dict(DDP(seeded(3)).state_dict())
    assert bits(ddp.parameters()) == bits(seeded(3).parameters())
    ddp.eval()
    assert not ddp.module.training
    compiled = DDP(tg.compile(seeded(0)))
    for _ in range(3):
        compiled.zero_grad()
        LOSS(compiled(X[PART]), Y[PART]).backward()
        assert bits(p.grad for p in compiled.parameters()) == bits(
            p.grad for p in twin.parameters()
        )


def shares() -> None:
    data = TensorDataset(tg.arange(11))
    sampler = DistributedSampler(data, shuffle=True)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        mine = [x.item() for (batch,) in DataLoader(data, sampler=sampler) for x in batch]
        everybody: list[Any] = [None] * SIZE
        dist.all_gather_object(everybody, mine)
        drawn = [x for row in zip(*everybody, strict=True) for x in row]
        assert set(drawn) == set(range(11)) and len(drawn) == -(-11 // SIZE) * SIZE


# ---------------------------------------------------------------------------- faults


def fault(kind: str) -> None:
    """Rank 1 comes to grief while the others wait for it, among them one with worker processes."""
    data = DataLoader(TensorDataset(tg.arange(64)), batch_size=2, num_workers=RANK % 2)
    batches = iter(data)
    next(batches)
    dist.barrier()
    if RANK == 1:
        if kind.isdigit():
            os.kill(os.getpid(), signal.Signals(int(kind)))
        elif kind == "raise":
            raise ValueError("no good")
        elif kind == "exit":
            os._exit(3)
        elif kind == "sys.exit":
            sys.exit(3)
        elif kind == "shape":
            dist.all_reduce(tg.ones(300_000))
        elif kind == "call":
            dist.barrier()
        elif kind == "late":
            time.sleep(20)
        elif kind == "end":
            return
    dist.all_reduce(tg.ones(400_000))


if __name__ == "__main__":
    for program in sys.argv[1:]:
        name, *arguments = program.split(":")
        globals()[name](*arguments)
