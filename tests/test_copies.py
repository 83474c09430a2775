"""copy, deepcopy and pickle of tensors: memory, layout, attributes."""

from __future__ import annotations

import copy
import gc
import pickle
import random

import pytest

import tapegrad as tg
from both import both
from support import counts, repeat

WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "old pickle": lambda value: pickle.loads(pickle.dumps(value, protocol=2)),
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)

VIEWS = [
    lambda lib, x: x,
    lambda lib, x: x[1:3],
    lambda lib, x: x[::2],
    lambda lib, x: x.T,
    lambda lib, x: x.reshape(-1)[2:],
    lambda lib, x: x[0, 0],
    lambda lib, x: x[:0],
    lambda lib, x: x[:1].expand(3, 3),
    lambda lib, x: x.detach(),
    lambda lib, x: x.clone(),
    lambda lib, x: x.detach().clone().requires_grad_(),
    lambda lib, x: x.diagonal(),
    lambda lib, x: x.as_strided((2, 2), (1, 1), 1),
    lambda lib, x: lib.arange(6).reshape(2, 3),
    lambda lib, x: lib.zeros(0, 3),
    lambda lib, x: lib.tensor(True),
]


def pool(lib, rng):
    """Tensors, some of which share memory, with attributes and gradients."""
    base = lib.arange(9.0).reshape(3, 3)
    tensors = [rng.choice(VIEWS)(lib, base) for _ in range(5)]
    for tensor in tensors:
        if tensor.requires_grad and rng.random() < 0.5:
            tensor.grad = lib.ones_like(tensor)
        if rng.random() < 0.5:
            tensor.note = [rng.randrange(9)]
        if rng.random() < 0.3:
            tensor.friend = tensors[0] if tensor is not tensors[0] else None
    return [*tensors, tensors[0], {"deep": (tensors[1],)}]


def flat(values):
    return [*values[:-1], values[-1]["deep"][0]]


def look(lib, x):
    return (
        x.tolist(),
        str(x.dtype).rpartition(".")[2],
        tuple(x.shape),
        (x.requires_grad, x.is_leaf, x._is_view()),
        None if x.grad is None else x.grad.tolist(),
        getattr(x, "note", "missing"),
        sorted(vars(x)),
        type(x) is lib.Tensor,
    )


def changed_by_each(tensors):
    """For each tensor, which of them a write into it changes."""
    found = []
    for tensor in tensors:
        before = [x.tolist() for x in tensors]
        data = tensor.detach()
        if data.numel() and not (0 in data.stride() and data.numel() > 1):
            data.copy_(~data if "bool" in str(data.dtype) else data + 1)
        found.append([x.tolist() != old for x, old in zip(tensors, before, strict=True)])
    return found


@ways
@pytest.mark.parametrize("seed", range(25))
def test_copies_are_those_of_torch(way, seed):
    torch = pytest.importorskip("torch")
    seen = []
    for lib in (tg, torch):
        values = pool(lib, random.Random(seed))
        copies = flat(way(values))
        views = [look(lib, x) for x in copies]
        # A pickle has no more than the tensor, where PyTorch's has all of its memory.
        whole = way in (copy.copy, copy.deepcopy)
        layouts = [(x.stride(), x.storage_offset()) for x in copies] if whole else None
        same = [[a is b for b in copies] for a in copies]
        seen.append((views, layouts, same, changed_by_each(copies)))
    assert seen[0] == seen[1]


@both
def test_views_stay_views_in_a_deepcopy(lib):
    a = lib.arange(6.0)
    first, second, other = copy.deepcopy([a, a[:2], a.clone()])
    second.fill_(9)
    assert first.tolist() == [9, 9, 2, 3, 4, 5] and other.tolist() == [0, 1, 2, 3, 4, 5]
    assert a.tolist() == [0, 1, 2, 3, 4, 5]
    lone = copy.deepcopy(a[2:4])
    assert lone.storage_offset() == 2 and lone.stride() == (1,)
    # The part comes first.
    second, first = copy.deepcopy([a.reshape(2, 3).T, a])
    assert second.stride() == (1, 3)
    first.fill_(1)
    assert second.tolist() == [[1, 1], [1, 1], [1, 1]]


def test_tied_memory_stays_tied_in_the_copy_of_a_module():
    class Tied(tg.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = tg.nn.Parameter(tg.ones(3, 2))
            self.other = tg.nn.Parameter(self.weight.data[:2])
            self.register_buffer("row", self.weight.data[0])
            self.twin = self.weight

    twin = copy.deepcopy(Tied())
    assert twin.twin is twin.weight and type(twin.other) is tg.nn.Parameter
    with tg.no_grad():
        twin.row.fill_(5)
    assert twin.weight.tolist() == [[5, 5], [1, 1], [1, 1]] and twin.other.tolist()[0] == [5, 5]


@ways
@both
def test_parameters(lib, way):
    p = lib.nn.Parameter(lib.ones(2, 3).T)
    p.grad = lib.ones(3, 2)
    q = way(p)
    assert type(q) is lib.nn.Parameter and q.is_leaf and q.requires_grad and q.grad is None
    assert q.stride() == p.stride() and q.tolist() == p.tolist()
    assert (q.data_ptr() == p.data_ptr()) == (way is copy.copy)
    frozen = way(lib.nn.Parameter(lib.ones(1), requires_grad=False))
    assert not frozen.requires_grad
    buffer = way(lib.nn.Buffer(lib.ones(1), persistent=False))
    module = lib.nn.Module()
    module.b = buffer
    assert "b" in dict(module.named_buffers()) and not module.state_dict()


@ways
def test_attributes_survive(way):
    for x in (tg.ones(2), tg.nn.Parameter(tg.ones(2)), tg.ones(2)[:1]):
        x.note = {"lr": 0.1}
        y = way(x)
        assert y.note == {"lr": 0.1} and (y.note is x.note) == (way is copy.copy)
        y.note = None
        assert x.note == {"lr": 0.1}
        assert vars(way(tg.ones(1))) == {}


class Marked(tg.Tensor):
    __slots__ = ("colour",)


class Stateful(tg.Tensor):
    def __getstate__(self):
        return {"kept": self.kept}

    def __setstate__(self, state):
        self.kept = state["kept"] + 1


@ways
def test_subclasses(way):
    x = tg._C._make_subclass(Marked, tg.ones(3), True)
    x.colour, x.note = "red", 1
    y = way(x)
    assert type(y) is Marked and y.requires_grad and (y.colour, y.note) == ("red", 1)
    z = tg._C._make_subclass(Stateful, tg.ones(3), False)
    z.kept = 1
    assert type(way(z)) is Stateful and way(z).kept == (2 if "pickle" in repr(way) else way(z).kept)


def test_what_leads_back_to_itself():
    x = tg.ones(2)
    x.me = [x]
    y = copy.deepcopy(x)
    assert y is not x and y.me[0] is y
    assert copy.copy(x).me[0] is x

    def step():
        z = tg.ones(3)
        z.__dict__["me"] = z
        copy.deepcopy(z)
        vars(tg.ones(2))

    before = counts()
    repeat(step, 100)
    assert counts() == before


@both
def test_a_result(lib):
    x = lib.ones(3, requires_grad=True)
    y = x * 2
    for way in (copy.copy, WAYS["pickle"]):
        z = way(y)
        assert z.is_leaf and z.requires_grad and z.grad_fn is None and z.tolist() == [2, 2, 2]
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(y)


def test_a_pickle_has_no_more_than_the_tensor():
    big = tg.zeros(100_000)
    assert len(pickle.dumps(big[:2])) < 1000
    assert len(pickle.dumps(big[::5000])) < 1500
    assert len(pickle.dumps(big[:1].expand(100_000))) < 1000


@ways
def test_copies_of_a_size(way):
    size = tg.ones(2, 3).shape
    assert type(way(size)) is tg.Size and way(size) == (2, 3)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(100):
        way(size)
    assert len(gc.get_objects()) < before + 50


@both
def test_printing_a_parameter(lib):
    p = lib.nn.Parameter(lib.ones(2))
    text = "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert repr(p) == str(p) == f"{p}" == format(p) == text
    scalar = lib.nn.Parameter(lib.tensor(1.5))
    assert f"{scalar}" == "Parameter containing:\ntensor(1.5000, requires_grad=True)"
    assert repr([p]) == f"[{text}]"
    assert str(lib.nn.ParameterList([p])[0]) == text
