"""Datasets, samplers, collation and loaders."""

import gc
import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections import OrderedDict, UserDict, defaultdict, deque, namedtuple
from collections.abc import Mapping

import numpy as np
import pytest

import tapegrad as tg
from both import both
from tapegrad.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    default_collate,
    get_worker_info,
    random_split,
)


def make(n=10):
    return TensorDataset(tg.arange(n * 2).float().reshape(n, 2), tg.arange(n))


class Squares(Dataset):
    def __init__(self, n=10):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return {"x": tg.tensor([float(i)]), "y": i * i, "name": f"n{i}"}


def labels(loader):
    return [y.tolist() for _, y in loader]


# ---------------------------------------------------------------------- datasets


def test_tensor_dataset():
    data = make(3)
    x, y = data[1]
    assert len(data) == 3 and x.tolist() == [2.0, 3.0] and y.item() == 1
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        TensorDataset(tg.zeros(3), tg.zeros(2))
    with pytest.raises(NotImplementedError):
        Dataset()[0]


def test_subset_and_concat():
    both = Subset(make(), [7, 8]) + Subset(make(), [0])
    assert isinstance(both, ConcatDataset) and len(both) == 3
    assert [y.item() for _, y in both] == [7, 8, 0]
    assert both[-1][1].item() == 0
    with pytest.raises(IndexError):
        both[3]


def test_random_split():
    parts = random_split(make(), [7, 3], generator=tg.Generator().manual_seed(1))
    assert [len(p) for p in parts] == [7, 3]
    seen = sorted(p[i][1].item() for p in parts for i in range(len(p)))
    assert seen == list(range(10))
    again = random_split(make(), [0.7, 0.3], generator=tg.Generator().manual_seed(1))
    assert again[0].indices == parts[0].indices
    assert [len(p) for p in random_split(range(10), [1 / 3, 1 / 3, 1 / 3])] == [4, 3, 3]
    with pytest.raises(ValueError, match="Sum of input lengths does not equal"):
        random_split(range(10), [7, 2])


# ---------------------------------------------------------------------- samplers


def test_samplers():
    assert list(SequentialSampler(range(3))) == [0, 1, 2]
    sampler = RandomSampler(range(50))
    first, second = list(sampler), list(sampler)
    assert first != second and sorted(first) == sorted(second) == list(range(50))
    assert len(list(RandomSampler(range(5), replacement=True, num_samples=30))) == 30
    assert len(list(RandomSampler(range(5), num_samples=12))) == 12
    assert sorted(SubsetRandomSampler([3, 5, 8])) == [3, 5, 8]
    assert list(BatchSampler(range(5), 2, drop_last=True)) == [[0, 1], [2, 3]]
    assert len(BatchSampler(range(5), 2, drop_last=False)) == 3
    for bad in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="batch_size should be a positive integer"):
            BatchSampler(range(5), bad, False)
    with pytest.raises(ValueError, match="num_samples should be a positive integer"):
        RandomSampler(range(5), num_samples=0)


# ---------------------------------------------------------------------- collation


def test_collate():
    Pair = namedtuple("Pair", "a b")
    batch = default_collate([Pair(np.float32(1), [1, 2]), Pair(np.float32(2), [3, 4])])
    assert isinstance(batch, Pair) and batch.a.dtype == tg.float32
    assert [column.tolist() for column in batch.b] == [[1, 3], [2, 4]]
    assert default_collate([1.5, 2.5]).dtype == tg.float64
    assert default_collate([np.zeros(3), np.ones(3)]).shape == (2, 3)
    assert default_collate([True, False]).dtype == tg.bool
    with pytest.raises(RuntimeError, match="should be of equal size"):
        default_collate([[1], [1, 2]])
    with pytest.raises(TypeError, match="batch must contain tensors, numpy arrays, numbers"):
        default_collate([object()])


class Entries(list):
    """A sequence of a type of its own."""


SAMPLES = {
    "defaultdict": lambda lib: [defaultdict(int, a=1), defaultdict(int, a=2)],
    "ordered": lambda lib: [OrderedDict(a=1, b=2), OrderedDict(a=3, b=4)],
    "userdict": lambda lib: [UserDict(a=1), UserDict(a=2)],
    "list": lambda lib: [Entries([1, "a"]), Entries([2, "b"])],
    "range": lambda lib: [range(2), range(2, 4)],
    "deque": lambda lib: [deque([1, 2]), deque([3, 4])],
    "strings": lambda lib: [np.str_("a"), np.str_("b")],
    "nested": lambda lib: [{"x": (1, [lib.ones(1)])}, {"x": (2, [lib.zeros(1)])}],
    "more keys": lambda lib: [{"a": 1}, {"a": 1, "b": 2}],
    "fewer keys": lambda lib: [{"a": 1, "b": 2}, {"a": 1}],
    "empty": lambda lib: [[], []],
    "nothing": lambda lib: [],
    "none": lambda lib: [None, None],
    "dtypes": lambda lib: [lib.tensor([1]), lib.tensor([1.5])],
    "parameters": lambda lib: [lib.nn.Parameter(lib.ones(1))] * 2,
}


def described(value):
    if isinstance(value, Mapping):
        return type(value), {k: described(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, deque)):
        return type(value), [described(v) for v in value]
    if hasattr(value, "requires_grad"):
        return value.tolist(), str(value.dtype).rpartition(".")[2], value.requires_grad
    return type(value), value


@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("function", ["default_collate", "default_convert"])
def test_containers_are_those_of_torch(function, samples):
    torch = pytest.importorskip("torch")
    outcomes = []
    for lib in (tg, torch):
        try:
            outcomes.append(described(getattr(lib.utils.data, function)(SAMPLES[samples](lib))))
        except Exception as error:
            outcomes.append((type(error), str(error)))
    assert outcomes[0] == outcomes[1]


# ---------------------------------------------------------------------- loaders


def test_batches_in_order():
    loader = DataLoader(make(), batch_size=4)
    assert len(loader) == 3
    batches = list(loader)
    assert isinstance(batches[0], list) and tuple(batches[0][0].shape) == (4, 2)
    assert labels(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    dropping = DataLoader(make(), batch_size=4, drop_last=True)
    assert len(dropping) == 2 and labels(dropping) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert labels(DataLoader(make(3))) == [[0], [1], [2]]


def test_shuffling_depends_on_the_generator():
    def epochs(seed):
        generator = tg.Generator().manual_seed(seed)
        loader = DataLoader(make(), batch_size=3, shuffle=True, generator=generator)
        return [[y for batch in labels(loader) for y in batch] for _ in range(2)]

    assert epochs(1) == epochs(1) != epochs(2)
    first, second = epochs(1)
    assert first != second and sorted(first) == list(range(10))
    tg.manual_seed(5)
    a = labels(DataLoader(make(), shuffle=True))
    tg.manual_seed(5)
    assert labels(DataLoader(make(), shuffle=True)) == a


def test_rows_stay_together_when_shuffled():
    for x, y in DataLoader(make(), batch_size=3, shuffle=True):
        assert tg.equal(x[:, 0], 2 * y.float())


def test_whole_batches_are_taken_unless_getitem_is_overridden():
    class Doubled(TensorDataset):
        def __getitem__(self, i):
            return tuple(2 * t for t in super().__getitem__(i))

    data = Doubled(tg.zeros(4), tg.arange(4))
    assert labels(DataLoader(data, batch_size=2)) == [[0, 2], [4, 6]]
    assert labels(DataLoader(Subset(data, [3, 1]), batch_size=2)) == [[6, 2]]
    assert labels(DataLoader(Subset(make(), [3, 1]), batch_size=2)) == [[3, 1]]

    class InBatches(TensorDataset):
        def __getitems__(self, indices):
            return [tuple(t[i] + 10 for t in self.tensors) for i in indices]

    assert labels(DataLoader(InBatches(*data.tensors), batch_size=2)) == [[10, 11], [12, 13]]


def test_other_datasets_and_options():
    (batch,) = DataLoader(Squares(3), batch_size=3)
    assert batch["x"].tolist() == [[0.0], [1.0], [2.0]]
    assert batch["y"].tolist() == [0, 1, 4] and batch["name"] == ["n0", "n1", "n2"]
    assert list(DataLoader(Squares(4), batch_size=2, collate_fn=len)) == [2, 2]
    assert [s["y"] for s in DataLoader(Squares(3), batch_size=None)] == [0, 1, 4]
    loader = DataLoader(make(), batch_sampler=[[1, 2], [9]])
    assert len(loader) == 2 and labels(loader) == [[1, 2], [9]]
    assert labels(DataLoader(make(), batch_size=2, sampler=[5, 4, 3])) == [[5, 4], [3]]
    assert next(iter(DataLoader(["a", "b"], batch_size=2))) == ["a", "b"]


def test_iterable_dataset():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(range(5))

    assert [b.tolist() for b in DataLoader(Stream(), batch_size=2)] == [[0, 1], [2, 3], [4]]
    assert len(list(DataLoader(Stream(), batch_size=2, drop_last=True))) == 2
    assert list(DataLoader(Stream(), batch_size=None)) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="expected unspecified shuffle option"):
        DataLoader(Stream(), shuffle=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size should be a positive integer value"),
        ({"num_workers": -1}, "num_workers option should be non-negative"),
        ({"timeout": -1}, "timeout option should be non-negative"),
        ({"shuffle": True, "sampler": [0]}, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler option is mutually exclusive"),
        ({"batch_size": None, "drop_last": True}, "batch_size=None option disables auto-batching"),
        ({"prefetch_factor": 2}, "prefetch_factor option could only be specified in multiprocess"),
        ({"persistent_workers": True}, "persistent_workers option needs num_workers > 0"),
    ],
)
def test_options_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DataLoader(make(), **options)


# ---------------------------------------------------------------------- worker processes

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


# Whatever the number of processors.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")


@forks
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
class TestWorkers:
    def test_the_same_batches_in_the_same_order(self):
        for data in (make(23), Subset(make(23), range(5))):
            loader = DataLoader(data, batch_size=4, num_workers=2)
            expected = DataLoader(data, batch_size=4)
            for ours, theirs in zip(loader, expected, strict=True):
                assert all(map(tg.equal, ours, theirs))
        batches = list(DataLoader(Squares(5), batch_size=2, num_workers=3))
        assert [b["y"].tolist() for b in batches] == [[0, 1], [4, 9], [16]]

    def test_an_epoch_can_be_left_early(self):
        loader = DataLoader(Squares(100), num_workers=2)
        assert next(iter(loader))["y"].item() == 0
        assert len(list(loader)) == 100

    def test_an_exception_is_passed_on(self):
        class Broken(Squares):
            def __getitem__(self, i):
                if i == 5:
                    raise KeyError("sample 5")
                return super().__getitem__(i)

        message = "Caught KeyError in DataLoader worker process 1"
        with pytest.raises(KeyError, match=message) as caught:
            list(DataLoader(Broken(), num_workers=2))
        assert "sample 5" in str(caught.value)

    def test_a_worker_that_dies_is_noticed(self):
        class Deadly(Squares):
            def __getitem__(self, i):
                if i == 3:
                    os._exit(1)
                return super().__getitem__(i)

        with pytest.raises(RuntimeError, match="exited unexpectedly"):
            list(DataLoader(Deadly(), num_workers=2))

    def test_a_worker_that_is_too_slow_is_noticed(self):
        class Slow(Squares):
            def __getitem__(self, i):
                time.sleep(30)

        with pytest.raises(RuntimeError, match=r"timed out after 0\.2 seconds"):
            list(DataLoader(Slow(), num_workers=1, timeout=0.2))

    def test_workers_know_who_they_are_and_differ_in_their_seeds(self):
        class Who(Squares):
            def __getitem__(self, i):
                info = get_worker_info()
                return info.id, info.num_workers, info.seed, int(tg.randint(2**31 - 1, (1,)))

        loader = DataLoader(Who(4), num_workers=2, generator=tg.Generator().manual_seed(1))
        rows = [[int(v) for v in row] for row in loader]
        assert [row[:2] for row in rows] == [[0, 2], [1, 2]] * 2
        assert rows[0][2] + 1 == rows[1][2]
        assert len({row[3] for row in rows}) == 4
        assert get_worker_info() is None

    def test_init_function(self):
        def init(worker):
            os.environ["TAPEGRAD_TEST_WORKER"] = str(worker)

        class Env(Squares):
            def __getitem__(self, i):
                return int(os.environ["TAPEGRAD_TEST_WORKER"])

        loader = DataLoader(Env(4), num_workers=2, worker_init_fn=init)
        assert [b.item() for b in loader] == [0, 1, 0, 1]

    def test_an_exception_that_cannot_be_sent_is_described(self):
        class Local(Exception):
            pass

        class Broken(Squares):
            def __getitem__(self, i):
                raise Local("sample of a class that the main process cannot look up")

        class Unsendable(Squares):
            def __getitem__(self, i):
                return lambda: i

        with pytest.raises(RuntimeError, match="cannot look up"):
            list(DataLoader(Broken(), num_workers=1))
        with pytest.raises(RuntimeError, match="lambda"):
            list(DataLoader(Unsendable(), batch_size=None, num_workers=1))

    def test_an_exception_of_the_init_function_is_passed_on(self):
        def init(worker):
            raise ValueError("no seat for this worker")

        with pytest.raises(ValueError, match="no seat for this worker"):
            list(DataLoader(Squares(), num_workers=1, worker_init_fn=init))

    def test_large_requests_and_batches_pass_each_other(self):
        """Neither side waits for the other to make room in the pipe."""
        n = 300_000
        data = TensorDataset(tg.arange(3 * n))
        loader = DataLoader(data, batch_size=n, shuffle=True, num_workers=1, timeout=30)
        seen = tg.cat([rows for (rows,) in loader])
        assert tg.equal(seen.sort().values, tg.arange(3 * n))

    def test_seeds_come_from_the_generator(self):
        class Random(Squares):
            def __getitem__(self, i):
                return float(tg.rand(1)), np.random.rand()

        def draw(seed):
            generator = tg.Generator().manual_seed(seed)
            loader = DataLoader(Random(6), num_workers=2, generator=generator)
            return [[v.item() for v in row] for _ in range(2) for row in loader]

        assert draw(1) == draw(1) != draw(2)
        assert len({v for row in draw(1) for v in row}) == 24

    def test_persistent_workers_keep_their_processes(self):
        class Process(Squares):
            calls = 0

            def __getitem__(self, i):
                self.calls += 1
                return os.getpid(), self.calls, i

        loader = DataLoader(Process(4), num_workers=2, persistent_workers=True)
        first, second = (
            [[int(v) for v in row] for row in loader],
            [[int(v) for v in row] for row in loader],
        )
        assert [row[2] for row in first] == [row[2] for row in second] == [0, 1, 2, 3]
        assert [row[0] for row in first] == [row[0] for row in second]
        assert [row[1] for row in second] == [3, 3, 4, 4]
        assert os.getpid() not in {row[0] for row in first}

    def test_an_epoch_of_persistent_workers_can_be_left_early(self):
        loader = DataLoader(Squares(50), num_workers=2, persistent_workers=True)
        old = iter(loader)
        assert next(old)["y"].item() == 0
        for _ in range(2):
            assert [b["y"].item() for b in loader] == [i * i for i in range(50)]
        with pytest.raises(RuntimeError, match="begun a new epoch"):
            next(old)

    def test_persistent_workers_of_a_loader_that_only_its_iterator_knows(self):
        batches = iter(DataLoader(range(5), num_workers=2, persistent_workers=True))
        gc.collect()
        assert [b.item() for b in batches] == [0, 1, 2, 3, 4]
        del batches
        gc.collect()
        assert multiprocessing.active_children() == []

    def test_persistent_workers_that_died_are_replaced(self):
        class Fragile(Squares):
            def __getitem__(self, i):
                if i == 2 and not os.environ.get("TAPEGRAD_TEST_STRONG"):
                    os._exit(1)
                return i

        loader = DataLoader(Fragile(4), num_workers=1, persistent_workers=True)
        with pytest.raises(RuntimeError, match="exited unexpectedly"):
            list(loader)
        os.environ["TAPEGRAD_TEST_STRONG"] = "1"
        try:
            assert [b.item() for b in loader] == [0, 1, 2, 3]
        finally:
            del os.environ["TAPEGRAD_TEST_STRONG"]

    @pytest.mark.parametrize("persistent", [False, True])
    def test_no_process_is_left(self, persistent):
        gc.collect()  # epochs that the errors of other tests hold
        loader = DataLoader(make(), num_workers=2, persistent_workers=persistent)
        assert len(list(loader)) == 10
        left_early = iter(loader)
        next(left_early)
        assert len(multiprocessing.active_children()) == 2
        del left_early, loader
        gc.collect()
        assert multiprocessing.active_children() == []

    def test_what_workers_print_is_seen(self):
        program = """
import tapegrad as tg
class Talks(tg.utils.data.Dataset):
    def __len__(self):
        return 2
    def __getitem__(self, i):
        print("sample", i)
        return i
list(tg.utils.data.DataLoader(Talks(), num_workers=1))
"""
        buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=buffered,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines() == ["sample 0", "sample 1"]

    @pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
    def test_no_pipe_is_left(self):
        gc.collect()
        persistent = DataLoader(make(), 5, num_workers=2, persistent_workers=True)
        list(persistent)
        list(DataLoader(make(), 5, num_workers=1))
        before, alive = len(os.listdir("/proc/self/fd")), tg._C._live_counts()
        for _ in range(20):
            list(persistent)
            list(DataLoader(make(), 5, num_workers=1))
            next(iter(DataLoader(make(), 5, num_workers=1)))
        assert len(os.listdir("/proc/self/fd")) == before
        gc.collect()
        assert tg._C._live_counts() == alive

    def test_an_iterable_dataset_is_divided_by_its_workers(self):
        class Numbers(IterableDataset):
            def __iter__(self):
                info = get_worker_info()
                return iter(range(info.id, 11, info.num_workers))

        for persistent in (False, True):
            loader = DataLoader(
                Numbers(), batch_size=2, num_workers=2, persistent_workers=persistent
            )
            for _ in range(2):
                batches = [b.tolist() for b in loader]
                assert batches == [[0, 2], [1, 3], [4, 6], [5, 7], [8, 10], [9]]
        singles = DataLoader(Numbers(), batch_size=None, num_workers=3)
        assert list(singles) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
        whole = DataLoader(Numbers(), batch_size=2, num_workers=2, drop_last=True)
        assert [b.tolist() for b in whole] == [[0, 2], [1, 3], [4, 6], [5, 7], [8, 10]]

    def test_workers_and_a_model_that_uses_threads(self):
        """Workers are forked while the main process's threads compute; they compute as well."""
        before = tg.get_num_threads()
        tg.set_num_threads(2)
        try:

            class Products(Squares):
                def __getitem__(self, i):
                    g = tg.Generator().manual_seed(i)
                    a = tg.randn(300, 300, generator=g, requires_grad=True)
                    (a @ a).tanh().sum().backward()
                    return a.grad

            def train(workers):
                tg.manual_seed(0)
                net = tg.nn.Linear(300, 10)
                optimizer = tg.optim.SGD(net.parameters(), lr=1e-3)
                for x in DataLoader(Products(6), num_workers=workers, timeout=60 * (workers > 0)):
                    optimizer.zero_grad()
                    net(x).square().mean().backward()
                    optimizer.step()
                return net.weight

            assert tg.equal(train(0), train(2))
        finally:
            tg.set_num_threads(before)


# ---------------------------------------------------------------------- errors, as PyTorch has them


def events(loader, most=30):
    """What an epoch gives, with the errors in between."""
    seen, batches = [], iter(loader)
    for _ in range(most):
        try:
            batch = next(batches)
        except StopIteration:
            seen.append("end")
            if seen[-2:] == ["end", "end"]:
                return seen
        except Exception as error:
            seen.append((type(error).__name__, str(error).splitlines()[0]))
        else:
            fields = batch if isinstance(batch, (list, tuple)) else [batch]
            seen.append([f.tolist() if hasattr(f, "tolist") else f for f in fields])
    return seen


def broken_map(lib):
    class Broken(lib.utils.data.Dataset):
        def __len__(self):
            return 9

        def __getitem__(self, i):
            if i in (3, 7):
                raise (KeyError if i == 3 else ValueError)(f"sample {i}")
            return i

    return Broken()


def broken_tensors(lib):
    class Broken(lib.utils.data.TensorDataset):
        def __getitem__(self, i):
            if i == 4:
                raise IndexError("sample 4")
            return super().__getitem__(i)

    return Broken(lib.arange(9), lib.arange(9) * 2)


def broken_subset(lib):
    return lib.utils.data.Subset(lib.utils.data.TensorDataset(lib.arange(9)), [0, 1, 20, 3, 4, 5])


def broken_generator(lib):
    class Broken(lib.utils.data.IterableDataset):
        def __iter__(self):
            yield from (0, 1, 2)
            raise ValueError("no more")

    return Broken()


def broken_iterator(lib):
    class Broken(lib.utils.data.IterableDataset):
        def __iter__(self):
            self.count = -1
            return self

        def __next__(self):
            self.count += 1
            if self.count > 8:
                raise StopIteration
            if self.count in (2, 5):
                raise ValueError(f"sample {self.count}")
            return self.count

    return Broken()


BROKEN = [broken_map, broken_tensors, broken_subset, broken_generator, broken_iterator]
OPTIONS = [
    {"batch_size": 2},
    {"batch_size": 2, "drop_last": True},
    {"batch_size": None},
    {"batch_size": 2, "num_workers": 2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("broken", BROKEN, ids=lambda f: f.__name__)
def test_the_rest_of_an_epoch_follows_an_error(broken, options):
    torch = pytest.importorskip("torch")

    def run(lib):
        if options.get("batch_size") is None and broken is broken_tensors:
            return None  # PyTorch's batches of one sample are tuples here
        loader = lib.utils.data.DataLoader(broken(lib), **options)
        return [events(loader), events(loader)]

    assert run(tg) == run(torch)


def test_errors_of_collation_leave_the_rest():
    def collate(samples):
        if 3 in samples:
            raise ValueError("three")
        return samples

    for workers in (0, 2):
        loader = DataLoader(range(6), 2, collate_fn=collate, num_workers=workers)
        first, error, last, *_ = events(loader)
        assert (first, error[0], last) == ([0, 1], "ValueError", [4, 5])
    stream = DataLoader(iterable(range(6)), 2, collate_fn=collate)
    assert [e[0] for e in events(stream)] == [0, "ValueError", 4, "e", "e"]


def iterable(values):
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(values)

    return Stream()


@both
def test_an_error_of_a_worker_shows_its_lines(lib):
    class Broken(lib.utils.data.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, i):
            raise [KeyError, ValueError, TypeError, UnicodeError][i](f"sample {i}")

    batches = iter(lib.utils.data.DataLoader(Broken(), num_workers=1))
    for i, kind in enumerate([KeyError, ValueError, TypeError, UnicodeError]):
        with pytest.raises(kind) as caught:
            next(batches)
        lines = str(caught.value).splitlines()
        assert lines[0] == f"Caught {kind.__name__} in DataLoader worker process 0."
        assert lines[1] == "Original Traceback (most recent call last):"
        assert lines[-1].startswith(kind.__name__) and f"sample {i}" in lines[-1]


@both
def test_tensors_from_workers_are_what_they_were(lib):
    class Samples(lib.utils.data.Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            if i == 0:
                return lib.ones(2, requires_grad=True)
            if i == 1:
                return {"p": lib.nn.Parameter(lib.ones(2)), "t": lib.arange(6).reshape(2, 3).T}
            return lib.arange(2)

    def same(batch):
        return batch

    loader = lib.utils.data.DataLoader(Samples(), batch_size=None, num_workers=1, collate_fn=same)
    leaf, mapping, plain = loader
    assert leaf.requires_grad and leaf.is_leaf and leaf.tolist() == [1, 1]
    assert type(mapping["p"]) is lib.nn.Parameter and mapping["p"].requires_grad
    assert mapping["t"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert mapping["t"].stride() == (1, 3)
    assert plain.tolist() == [0, 1]
    plain += 1  # the memory is the receiver's own


def test_a_graph_does_not_leave_its_worker():
    class Samples(Squares):
        def __getitem__(self, i):
            x = tg.ones(2, requires_grad=True)
            return {"deep": [x * 2 if i == 1 else x]}

    batches = iter(DataLoader(Samples(3), batch_size=None, num_workers=1))
    assert next(batches)["deep"][0].is_leaf
    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf tensor"):
        next(batches)
    assert next(batches)["deep"][0].requires_grad
    # The stacked samples of a batch are a result.
    with pytest.raises(RuntimeError, match="Cowardly refusing"):
        next(iter(DataLoader(Samples(3), batch_size=3, num_workers=1)))


def test_workers_draw_different_random_numbers():
    class Draws(Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, i):
            return random.random(), float(np.random.rand()), float(tg.rand(()))

    for drawn in zip(*DataLoader(Draws(), None, num_workers=4, collate_fn=list), strict=True):
        assert len(set(drawn)) == 4
