"""Datasets, samplers, collation and loaders beside PyTorch's."""

import os
import random
import time
import warnings
from collections import namedtuple

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import raises

torch = pytest.importorskip("torch")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]


def outcome(action, lib):
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = action(lib)
        return plain(result), [(w.category, str(w.message).strip()[:90]) for w in caught]
    except Exception as error:
        return type(error), str(error).replace("torch.", "tapegrad.")


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value), [plain(v) for v in value]
    if isinstance(value, (list, tuple)):
        return type(value), [plain(v) for v in value]
    if hasattr(value, "requires_grad"):
        return str(value.dtype).split(".")[-1], value.tolist()
    return value


def same(action):
    ours, theirs = outcome(action, tg), outcome(action, torch)
    assert ours == theirs


class Items:
    """Gives many samples at once, and may give too few."""

    def __init__(self, samples, missing=0):
        self.samples, self.missing = samples, missing

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        return self.samples[i]

    def __getitems__(self, indices):
        return [self.samples[i] for i in indices[self.missing :]]


def stream(lib, n, base=None):
    class Stream(base or lib.utils.data.IterableDataset):
        def __iter__(self):
            info = lib.utils.data.get_worker_info()
            step, start = (info.num_workers, info.id) if info else (1, 0)
            return iter(range(start, n, step))

        def __len__(self):
            return n

        def __repr__(self):
            return "Stream"

    return Stream()


Pair = namedtuple("Pair", "a b")

DATASETS = {
    "stack": lambda d, lib: list(d.StackDataset("abc", [1, 2, 3])[1]),
    "stack dict": lambda d, lib: d.StackDataset(x="abc", y=[1, 2, 3])[2],
    "stack items": lambda d, lib: d.StackDataset(Items("abc"), [1, 2, 3]).__getitems__([2, 0]),
    "stack items dict": lambda d, lib: d.StackDataset(x=Items("ab"), y="cd").__getitems__([1]),
    "stack too few": lambda d, lib: d.StackDataset(Items("abc", 1), "abc").__getitems__([0, 1]),
    "stack dict few": lambda d, lib: d.StackDataset(x=Items("abc", 1)).__getitems__([0, 1]),
    "stack nothing": lambda d, lib: d.StackDataset(),
    "stack both": lambda d, lib: d.StackDataset("ab", x="ab"),
    "stack sizes": lambda d, lib: d.StackDataset("ab", "abc"),
    "stack dict sizes": lambda d, lib: d.StackDataset(x="ab", y="abc"),
    "stack loaded": lambda d, lib: list(
        d.DataLoader(d.StackDataset(x=Items([1, 2, 3]), y=[4.0, 5.0, 6.0]), batch_size=2)
    ),
    "chain": lambda d, lib: list(d.ChainDataset([stream(lib, 2), stream(lib, 3)])),
    "chain sum": lambda d, lib: list(stream(lib, 2) + stream(lib, 3)),
    "chain length": lambda d, lib: len(stream(lib, 2) + stream(lib, 3)),
    "chain of lists": lambda d, lib: list(d.ChainDataset([[1]])),
    "chain length of lists": lambda d, lib: len(d.ChainDataset([[1]])),
    "concat": lambda d, lib: [d.ConcatDataset(["ab", "c"])[i] for i in (0, 2, -1, -3)],
    "concat before": lambda d, lib: d.ConcatDataset(["ab", "c"])[-4],
    "concat nothing": lambda d, lib: d.ConcatDataset([]),
    "concat stream": lambda d, lib: d.ConcatDataset([stream(lib, 3)]),
    "subset list": lambda d, lib: d.Subset(lib.arange(9), [3, 4, 5])[[0, 2]],
    "subset items": lambda d, lib: d.Subset(Items("abc"), [2, 1]).__getitems__([0]),
    "subset plain": lambda d, lib: d.Subset("abc", [2, 1]).__getitems__([0]),
    "split": lambda d, lib: [len(s) for s in d.random_split(range(10), [0.75, 0.25])],
    "split zero": lambda d, lib: [len(s) for s in d.random_split(range(1), [0.5, 0.5])],
    "split wrong": lambda d, lib: d.random_split(range(3), [1, 3]),
    "split fraction": lambda d, lib: d.random_split(range(3), [-0.5, 1.5]),
    "tensor sizes": lambda d, lib: d.TensorDataset(lib.ones(1), lib.ones(2)),
    "generic": lambda d, lib: [
        issubclass(type("X", (d.Dataset[int],), {}), d.Dataset),
        issubclass(type("X", (d.IterableDataset[int],), {}), d.Dataset),
        issubclass(type("X", (d.Sampler[int],), {}), d.Sampler),
        d.DataLoader[int].__origin__ is d.DataLoader,
        d.Subset[int].__origin__ is d.Subset,
    ],
}


@pytest.mark.parametrize("case", DATASETS)
def test_datasets(case):
    same(lambda lib: DATASETS[case](lib.utils.data, lib))


def test_a_subset_with_samples_of_its_own_says_how_to_give_many():
    def make(lib):
        class Mine(lib.utils.data.Subset):
            def __getitem__(self, i):
                return 2 * super().__getitem__(i)

        return Mine("ab", [0])

    outcomes = [outcome(make, lib) for lib in (tg, torch)]
    assert outcomes[0][0] is outcomes[1][0] is NotImplementedError
    assert outcomes[1][1].startswith(outcomes[0][1])

    class Both(tg.utils.data.Subset):
        def __getitem__(self, i):
            return tuple(2 * t for t in super().__getitem__(i))

        def __getitems__(self, indices):
            return [self[i] for i in indices]

    data = tg.utils.data.TensorDataset(tg.arange(4))
    ((batch,),) = tg.utils.data.DataLoader(Both(data, [1, 3]), batch_size=2)
    assert batch.tolist() == [2, 6]


SAMPLERS = {
    "sequential": lambda d, lib: list(d.SequentialSampler("abc")),
    "random empty": lambda d, lib: d.RandomSampler([]),
    "random flag": lambda d, lib: d.RandomSampler("abc", replacement=1),
    "random zero": lambda d, lib: d.RandomSampler("abc", num_samples=0),
    "random float": lambda d, lib: d.RandomSampler("abc", num_samples=1.5),
    "random lengths": lambda d, lib: [
        len(list(d.RandomSampler("abc", replacement, count)))
        for replacement in (False, True)
        for count in (None, 1, 3, 7, 70)
    ],
    "random each once": lambda d, lib: sorted(list(d.RandomSampler("abc", False, 7))[:6]),
    "subset": lambda d, lib: sorted(d.SubsetRandomSampler([3, 1])),
    "weighted": lambda d, lib: list(d.WeightedRandomSampler([0, 1, 0], 3)),
    "weighted array": lambda d, lib: sorted(
        d.WeightedRandomSampler(np.array([0.5, 0.2, 0.0]), 2, replacement=False)
    ),
    "weighted length": lambda d, lib: len(d.WeightedRandomSampler([1, 1], 5)),
    "weighted count": lambda d, lib: d.WeightedRandomSampler([1], True),
    "weighted zero": lambda d, lib: d.WeightedRandomSampler([1], 0),
    "weighted flag": lambda d, lib: d.WeightedRandomSampler([1], 1, replacement=2),
    "weighted matrix": lambda d, lib: d.WeightedRandomSampler([[1.0]], 1),
    "batch": lambda d, lib: list(d.BatchSampler(range(5), 2, False)),
    "batch drop": lambda d, lib: list(d.BatchSampler(range(5), 2, True)),
    "batch generator": lambda d, lib: list(d.BatchSampler((i for i in range(3)), 2, False)),
    "batch size": lambda d, lib: d.BatchSampler(range(5), True, False),
    "batch flag": lambda d, lib: d.BatchSampler(range(5), 1, 2),
    "batch lengths": lambda d, lib: [
        len(d.BatchSampler(range(n), 3, drop)) for n in range(7) for drop in (False, True)
    ],
}


@pytest.mark.parametrize("case", SAMPLERS)
def test_samplers(case):
    same(lambda lib: SAMPLERS[case](lib.utils.data, lib))


def test_a_random_sampler_draws_as_it_goes():
    sampler = tg.utils.data.RandomSampler(range(5), replacement=True, num_samples=10**10)
    assert len(sampler) == 10**10
    drawn = [i for i, _ in zip(sampler, range(100))]
    assert set(drawn) == set(range(5))
    repeated = tg.utils.data.RandomSampler(range(5), num_samples=10**10)
    loader = tg.utils.data.DataLoader(
        tg.utils.data.TensorDataset(tg.arange(5)), batch_size=4, sampler=repeated
    )
    rows = [batch.tolist() for (batch,), _ in zip(loader, range(5))]
    assert sorted([i for row in rows for i in row][:5]) == list(range(5))


@both
def test_numbers_drawn_by_an_epoch(lib):
    """An epoch takes one number of the loader's generator, and a sampler of its own another."""

    def after(epoch):
        lib.manual_seed(3)
        epoch()
        return lib.empty((), dtype=lib.int64).random_().item()

    def draws(n):
        return lambda: [lib.empty((), dtype=lib.int64).random_() for _ in range(n)]

    data = lib.utils.data
    assert after(lambda: list(data.DataLoader(range(5)))) == after(draws(1))
    assert after(lambda: list(data.DataLoader(range(5), shuffle=True))) == after(draws(2))
    assert after(lambda: list(data.RandomSampler(range(5)))) == after(draws(1))
    tensors = data.TensorDataset(lib.arange(5))
    assert after(lambda: list(data.DataLoader(tensors, shuffle=True))) == after(draws(2))

    def shuffled(make):
        lib.manual_seed(4)
        return [int(batch[0]) for batch in make]

    lists = data.DataLoader([[i] for i in range(9)], shuffle=True)
    rows = data.DataLoader(data.TensorDataset(lib.arange(9)), shuffle=True)
    assert shuffled(lists) == shuffled(rows)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3, 7, 40, 100])
@pytest.mark.parametrize("kind", ["sequential", "random", "replaced", "many", "subset", "weighted"])
def test_batches_of_rows_are_those_of_the_samplers(kind, batch_size, drop_last):
    data = tg.utils.data
    rows = data.TensorDataset(tg.arange(11))

    def sampler():
        return {
            "sequential": lambda: data.SequentialSampler(rows),
            "random": lambda: data.RandomSampler(rows),
            "replaced": lambda: data.RandomSampler(rows, True, 75),
            "many": lambda: data.RandomSampler(rows, num_samples=29),
            "subset": lambda: data.SubsetRandomSampler([3, 1, -2, 5]),
            "weighted": lambda: data.WeightedRandomSampler(range(11), 50),
        }[kind]()

    tg.manual_seed(1)
    loader = data.DataLoader(rows, batch_size, sampler=sampler(), drop_last=drop_last)
    ours = [batch.tolist() for (batch,) in loader]
    assert len(ours) == len(loader)
    tg.manual_seed(1)
    tg.empty((), dtype=tg.int64).random_()  # which the epoch takes
    expected = list(data.BatchSampler(sampler(), batch_size, drop_last))
    assert ours == [[i % 11 for i in batch] for batch in expected]


# ---------------------------------------------------------------------- collation


class Mine:
    def __init__(self, value):
        self.value = value


class Derived(Mine):
    pass


BATCHES = {
    "namedtuple": lambda lib: [Pair(1, "a"), Pair(2, "b")],
    "bytes": lambda lib: [b"a", b"b"],
    "scalars": lambda lib: [np.float32(1), np.float32(2)],
    "arrays of text": lambda lib: [np.array(["a"]), np.array(["b"])],
    "arrays": lambda lib: [np.ones((2, 1), dtype=np.int32), np.zeros((2, 1), dtype=np.int32)],
    "unequal": lambda lib: [[1], [1, 2]],
    "unequal arrays": lambda lib: [lib.ones(1), lib.ones(2)],
    "objects": lambda lib: [Mine(1)],
    "bools": lambda lib: [True, False],
    "deep": lambda lib: [{"x": [(1, 2.5), Pair(lib.ones(1), b"c")]} for _ in range(2)],
    "nones": lambda lib: [None],
}


@pytest.mark.parametrize("case", BATCHES)
@pytest.mark.parametrize("function", ["default_collate", "default_convert"])
def test_collation(case, function):
    def action(lib):
        batch = BATCHES[case](lib)
        if case == "objects" and function == "default_convert":
            return [type(v) for v in lib.utils.data.default_convert(batch)]
        return getattr(lib.utils.data, function)(batch)

    ours, theirs = outcome(action, tg), outcome(action, torch)
    if case == "unequal arrays" and function == "default_collate":
        assert ours[0] is theirs[0]
    elif case == "arrays of text" and function == "default_convert":
        assert str(ours) == str(theirs)
    else:
        assert ours == theirs


@both
def test_functions_for_other_types(lib):
    from importlib import import_module

    module = import_module(f"{lib.__name__}.utils.data._utils.collate")

    def values(batch, *, collate_fn_map=None):
        return [item.value for item in batch], collate_fn_map is not None

    assert module.collate([Derived(1), Derived(2)], collate_fn_map={Mine: values}) == ([1, 2], True)
    assert module.collate([(Mine(1),), (Mine(2),)], collate_fn_map={Mine: values}) == [
        ([1, 2], True)
    ]
    table = module.default_collate_fn_map
    table[Mine] = values
    try:
        assert lib.utils.data.default_collate([Mine(3)]) == ([3], True)
        (batch,) = lib.utils.data.DataLoader([Mine(3), Mine(4)], batch_size=2)
        assert batch == ([3, 4], True)
    finally:
        del table[Mine]
    own = table[lib.Tensor]
    table[lib.Tensor] = lambda batch, *, collate_fn_map=None: len(batch)
    try:
        data = lib.utils.data.TensorDataset(lib.arange(3), lib.arange(3))
        assert list(lib.utils.data.DataLoader(data, batch_size=2)) == [[2, 2], [1, 1]]
    finally:
        table[lib.Tensor] = own


def test_rows_of_tensors_are_the_batches_that_collation_gives():
    data = tg.utils.data
    x = tg.randn(7, 2, requires_grad=True)
    tensors = data.TensorDataset(x, tg.arange(7), tg.ones(7, 3, dtype=tg.bool).t().t())
    given = {"batch_size": 3}
    for dataset in (tensors, data.Subset(tensors, [6, 0, 3, 3, -1])):
        fast = list(data.DataLoader(dataset, **given))
        slow = list(data.DataLoader(dataset, collate_fn=lambda b: data.default_collate(b), **given))
        named = list(data.DataLoader(dataset, collate_fn=data.default_collate, **given))
        for a, b, c in zip(fast, slow, named, strict=True):
            assert type(a) is type(b) is list
            for p, q, r in zip(a, b, c, strict=True):
                assert p.dtype == q.dtype and tg.equal(p, q) and tg.equal(p, r)
                assert p.requires_grad == q.requires_grad and p.stride() == q.stride()
    (batch,) = data.DataLoader(tensors, batch_size=7)
    (batch[0] * 3).sum().backward()
    assert x.grad.tolist() == [[3, 3]] * 7


# ---------------------------------------------------------------------- loaders

LOADERS = {
    "workers": lambda d, lib: d.DataLoader("abc", num_workers=-1),
    "timeout": lambda d, lib: d.DataLoader("abc", timeout=-1),
    "timeout without workers": lambda d, lib: iter(d.DataLoader("abc", timeout=1)) and None,
    "prefetch": lambda d, lib: d.DataLoader("abc", prefetch_factor=2),
    "prefetch negative": lambda d, lib: d.DataLoader("abc", num_workers=1, prefetch_factor=-1),
    "persistent": lambda d, lib: d.DataLoader("abc", persistent_workers=True),
    "shuffled stream": lambda d, lib: d.DataLoader(stream(lib, 3), shuffle=True),
    "stream sampler": lambda d, lib: d.DataLoader(stream(lib, 3), sampler=[1]),
    "stream batches": lambda d, lib: d.DataLoader(stream(lib, 3), batch_sampler=[[1]]),
    "shuffle and sampler": lambda d, lib: d.DataLoader("abc", shuffle=True, sampler=[1]),
    "batches and size": lambda d, lib: d.DataLoader("abc", batch_sampler=[[1]], batch_size=3),
    "none and drop": lambda d, lib: d.DataLoader("abc", batch_size=None, drop_last=True),
    "shuffled nothing": lambda d, lib: d.DataLoader([], shuffle=True),
    "context": lambda d, lib: d.DataLoader("abc", multiprocessing_context="fork"),
    "context name": lambda d, lib: d.DataLoader(
        "abc", num_workers=1, multiprocessing_context="thread"
    ),
    "context type": lambda d, lib: d.DataLoader("abc", num_workers=1, multiprocessing_context=3),
    "set": lambda d, lib: setattr(d.DataLoader("abc"), "batch_size", 3),
    "set dataset": lambda d, lib: setattr(d.DataLoader("abc"), "dataset", "ab"),
    "pinned": lambda d, lib: list(d.DataLoader([1, 2], pin_memory=True)),
    "defaults": lambda d, lib: [
        getattr(d.DataLoader("abc", num_workers=n), name)
        for n in (0, 1)
        for name in (
            *("batch_size", "num_workers", "prefetch_factor", "pin_memory", "pin_memory_device"),
            *("timeout", "in_order", "drop_last", "persistent_workers", "generator"),
            *("worker_init_fn", "multiprocessing_context"),
        )
    ],
    "many workers": lambda d, lib: d.DataLoader("abc", num_workers=1000) and None,
}


@pytest.mark.parametrize("case", LOADERS)
@pytest.mark.filterwarnings("default")
def test_loaders(case):
    def action(lib):
        result = LOADERS[case](lib.utils.data, lib)
        return None if isinstance(result, lib.utils.data.DataLoader) else result

    ours, theirs = outcome(action, tg), outcome(action, torch)
    if case == "timeout without workers":
        assert ours[0] is theirs[0] is AssertionError
    else:
        assert ours == theirs


@both
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=forks)])
def test_a_stream_that_is_longer_than_it_says(lib, workers):
    class Longer(lib.utils.data.IterableDataset):
        def __iter__(self):
            return iter(range(3))

        def __len__(self):
            return 2

        def __repr__(self):
            return "Longer"

    loader = lib.utils.data.DataLoader(Longer(), batch_size=None, num_workers=workers)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        list(loader)  # nobody has asked for the length
    assert len(loader) == 2
    text = r"Length of IterableDataset Longer was reported to be 2\(when accessing len\(dataload"
    with pytest.warns(UserWarning, match=text):
        list(loader)


@both
@forks
def test_workers_seed_all_generators(lib):
    class Seeds(lib.utils.data.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, i):
            info = lib.utils.data.get_worker_info()
            numbers = lib.randint(1000, (3,)).tolist()
            lib.manual_seed(info.seed)
            assert numbers == lib.randint(1000, (3,)).tolist() or i > 1
            return [info.seed, info.id, random.random(), np.random.rand()]

    def run():
        generator = lib.Generator()
        generator.manual_seed(5)
        loader = lib.utils.data.DataLoader(
            Seeds(), None, num_workers=2, generator=generator, collate_fn=list
        )
        generator_of_seed = lib.Generator()
        generator_of_seed.manual_seed(5)
        base = lib.empty((), dtype=lib.int64).random_(generator=generator_of_seed).item()
        return base, list(loader)

    (base, rows), (_, again) = run(), run()
    assert rows == again
    for i, (seed, worker, number, array) in enumerate(rows[:2]):
        assert seed == base + i and worker == i
        assert number == random.Random(seed).random()
        state = np.random.SeedSequence([i, base & 0xFFFFFFFF, base >> 32, 0]).generate_state(4)
        assert array == np.random.RandomState(state).rand()


@forks
def test_batches_as_they_are_ready():
    class Slow(tg.utils.data.Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, i):
            time.sleep(0.5 if i == 0 else 0)
            return i

    loader = tg.utils.data.DataLoader(Slow(), num_workers=2, in_order=False)
    seen = [int(batch) for batch in loader]
    assert sorted(seen) == list(range(6)) and seen[0] != 0
    loader = tg.utils.data.DataLoader(Slow(), num_workers=2)
    assert [int(batch) for batch in loader] == list(range(6))
    streams = tg.utils.data.DataLoader(
        stream(tg, 11), num_workers=2, in_order=False, persistent_workers=True
    )
    for _ in range(2):
        assert sorted(int(batch) for batch in streams) == list(range(11))

    class Never(Slow):
        def __getitem__(self, i):
            time.sleep(30)

    never = tg.utils.data.DataLoader(Never(), num_workers=2, in_order=False, timeout=0.2)
    with raises(RuntimeError, "DataLoader timed out after 0.2 seconds"):
        list(never)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_ways_to_start_workers(method):
    loader = tg.utils.data.DataLoader(
        tg.utils.data.TensorDataset(tg.arange(6)),
        batch_size=2,
        num_workers=1,
        multiprocessing_context=method,
        generator=tg.Generator(),
    )
    assert [rows.tolist() for (rows,) in loader] == [[0, 1], [2, 3], [4, 5]]


@forks
def test_no_prefetching_is_refused():
    loader = tg.utils.data.DataLoader("abc", num_workers=1, prefetch_factor=0)
    with raises(AssertionError, "prefetch_factor must be greater than 0 for"):
        next(iter(loader))
