"""What libraries use beside tensors and layers: lists of tensors, trees, times, and names."""

from __future__ import annotations

import importlib
from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import raises
from tapegrad._later import PLACES

Point = namedtuple("Point", "x y")


# ------------------------------------------------------------------------------ lists


def tensors(lib: Any, *scales: float) -> list[Any]:
    return [lib.linspace(0.1, 0.9, 3, dtype=lib.float64) * scale for scale in scales]


def plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


CALLS = {
    "add": lambda lib, x, y: [(x, 2.0), (x, y), (x, [1.0, 2.0]), (x, lib.ones(()).double())],
    "sub": lambda lib, x, y: [(x, 0.5), (x, y)],
    "mul": lambda lib, x, y: [(x, 2.0), (x, y), (x, [1.0, 2.0]), (x, 2 * lib.ones(()).double())],
    "div": lambda lib, x, y: [(x, 2.0), (x, y)],
    "maximum": lambda lib, x, y: [(x, 0.5), (x, y), (x, [0.5, 0.1])],
    "minimum": lambda lib, x, y: [(x, 0.5), (x, y)],
    "clamp_min": lambda lib, x, y: [(x, 0.5), (x, y)],
    "clamp_max": lambda lib, x, y: [(x, 0.5), (x, y)],
    "pow": lambda lib, x, y: [(x, 2.0), (x, y), (x, [2.0, 3.0])],
    "addcmul": lambda lib, x, y: [(x, x, y), (x, x, y, 0.5), (x, x, y, [0.5, 2.0])],
    "addcdiv": lambda lib, x, y: [(x, x, y), (x, x, y, 0.5)],
    "lerp": lambda lib, x, y: [(x, y, 0.25), (x, y, x)],
    "norm": lambda lib, x, y: [(x,), (x, 1), (x, float("inf"))],
    "copy_": lambda lib, x, y: [(x, y)],
}


@pytest.mark.parametrize("name", PLACES["_foreach"])
def test_each_of_a_list(name: str) -> None:
    torch = pytest.importorskip("torch")
    method = name.removeprefix("_foreach_")
    calls = CALLS.get(method) or CALLS.get(method.removesuffix("_")) or (lambda lib, x, y: [(x,)])
    for i in range(len(calls(tg, tensors(tg, 1.0, 1.0), tensors(tg, 1.0, 1.0)))):
        results = []
        for lib in (tg, torch):
            x, y = tensors(lib, 0.5, 1.0), tensors(lib, 1.0, 0.25)
            given = calls(lib, x, y)[i]
            result = getattr(lib, name)(*given)
            assert (result is x) == name.endswith("_")
            results.append((type(result), plain(result), plain(x)))
        (kind, got, written), (their_kind, wanted, their_written) = results
        assert kind is their_kind
        for ours, theirs in ((got, wanted), (written, their_written)):
            for a, b in zip(ours, theirs):
                assert a == pytest.approx(b, rel=1e-12), name


@both
def test_lists_that_do_not_fit(lib: Any) -> None:
    x = lib.ones(1)
    with pytest.raises(RuntimeError, match="at least one tensor"):
        lib._foreach_add([], 1.0)
    with pytest.raises(RuntimeError, match="same number of tensors, got 1 and 2"):
        lib._foreach_add([x], [x, x])
    weights = [lib.ones(2, requires_grad=True)]
    lib._foreach_mul(weights, 3.0)[0].sum().backward()
    assert weights[0].grad.tolist() == [3.0, 3.0]
    lists = [[x, x.double(), x], [None, x, x]]
    utils = importlib.import_module(f"{lib.__name__}.utils._foreach_utils")
    groups = utils._group_tensors_by_device_and_dtype(lists, with_indices=True)
    assert sorted(indices for _, indices in groups.values()) == [[0, 2], [1]]


# ------------------------------------------------------------------------------ trees

TREE = {
    "a": [1, (2, Point(3, None))],
    "b": OrderedDict(z=4, y=deque([5], maxlen=3)),
    "c": defaultdict(list, k=[6]),
    "d": (),
}


@both
def test_trees(lib: Any) -> None:
    tree = importlib.import_module(f"{lib.__name__}.utils._pytree")
    leaves, spec = tree.tree_flatten(TREE)
    assert leaves == tree.tree_leaves(TREE) == [1, 2, 3, None, 4, 5, 6]
    assert spec.num_leaves == 7 and not spec.is_leaf() and spec == tree.tree_structure(TREE)
    again = tree.tree_unflatten([str(leaf) for leaf in leaves], spec)
    assert again["a"] == ["1", ("2", Point("3", "None"))]
    assert again["b"]["y"].maxlen == 3 and again["c"].default_factory is list
    assert spec != tree.tree_structure([1])
    with pytest.raises(ValueError, match="holds 7 items"):
        tree.tree_unflatten([1], spec)
    double = tree.tree_map_only(int, lambda x: 2 * x, TREE)
    assert tree.tree_leaves(double) == [2, 4, 6, None, 8, 10, 12]
    added = tree.tree_map(lambda x, y: (x, y), [1, {"k": 2}], [3, {"k": [4]}])
    assert added == [(1, 3), {"k": (2, [4])}]
    for wrong in ([3], [3, [4]], [3, {"l": 4}], 3):
        with pytest.raises(ValueError):
            tree.tree_map(lambda x, y: x, [1, {"k": 2}], wrong)
    assert tree.tree_leaves([1, (2, 3)], is_leaf=lambda x: isinstance(x, tuple)) == [1, (2, 3)]
    assert tree.tree_any(lambda x: x == 6, TREE) and not tree.tree_all(lambda x: x == 6, TREE)
    seen: list[Any] = []
    assert tree.tree_map_(seen.append, TREE) is TREE and seen == leaves

    class Pair:
        def __init__(self, *items: Any) -> None:
            self.items = items

    assert len(tree.tree_leaves(Pair(1, 2))) == 1
    tree.register_pytree_node(Pair, lambda p: (list(p.items), None), lambda parts, _: Pair(*parts))
    assert tree.tree_map(lambda x: x + 1, [Pair(1, 2)])[0].items == (2, 3)
    with pytest.raises(ValueError, match="already registered"):
        tree.register_pytree_node(Pair, lambda p: ([], None), lambda parts, _: Pair())


# ------------------------------------------------------------------------ names of libraries


@both
def test_names_that_libraries_import(lib: Any) -> None:
    """Where PyTorch's files have them."""
    names = {
        "cuda.amp.autocast_mode": ("autocast",),
        "cuda.amp.grad_scaler": ("GradScaler",),
        "distributed": ("ProcessGroup", "ReduceOp"),
        "jit": ("ScriptFunction", "ScriptModule"),
        "nn.init": ("_calculate_correct_fan", "_calculate_fan_in_and_fan_out"),
        "nn.modules.activation": ("MultiheadAttention",),
        "nn.modules.linear": ("NonDynamicallyQuantizableLinear",),
        "nn.modules.module": ("_addindent",),
        "nn.modules.normalization": ("LocalResponseNorm",),
        "nn.modules.transformer": ("_get_activation_fn", "_get_clones"),
        "optim.adamw": ("AdamW",),
        "optim.optimizer": (
            *("ParamsT", "_default_to_fused_or_foreach", "_get_value"),
            "_use_grad_for_differentiable",
        ),
        "serialization": ("MAP_LOCATION", "add_safe_globals", "safe_globals"),
        "utils.benchmark": ("Compare", "Measurement", "Timer"),
        "utils.data.dataloader": ("default_collate", "get_worker_info"),
    }
    for place, wanted in names.items():
        module = importlib.import_module(f"{lib.__name__}.{place}")
        for name in wanted:
            assert hasattr(module, name), (place, name)
    init = lib.nn.init
    assert init._calculate_fan_in_and_fan_out(lib.empty(4, 3, 5, 5)) == (75, 100)
    assert init._calculate_correct_fan(lib.empty(4, 3), "fan_out") == 4
    layer = lib.nn.Linear(2, 1)
    assert not isinstance(layer, lib.jit.ScriptModule)
    assert lib.nn.modules.module._addindent("a\nb", 3) == "a\n   b"
    assert lib.get_autocast_gpu_dtype() is lib.float16
    assert lib.get_autocast_cpu_dtype() is lib.bfloat16


@both
def test_frequencies(lib: Any) -> None:
    fft = lib.fft
    for n in (1, 4, 5):
        assert fft.fftfreq(n, 0.5).tolist() == pytest.approx(np.fft.fftfreq(n, 0.5))
        assert fft.rfftfreq(n, d=2.0).tolist() == pytest.approx(np.fft.rfftfreq(n, 2.0))
        x = lib.arange(3.0 * n).reshape(3, n)
        for dim in (None, 0, 1, -1, (0, 1)):
            axes = dim if dim is None or isinstance(dim, tuple) else (dim,)
            assert fft.fftshift(x, dim).tolist() == np.fft.fftshift(x.numpy(), axes).tolist()
            assert fft.ifftshift(x, dim).tolist() == np.fft.ifftshift(x.numpy(), axes).tolist()
    double = fft.fftfreq(4, dtype=lib.float64, requires_grad=True)
    assert double.dtype is lib.float64 and double.requires_grad and double.is_leaf


def test_transforms_say_that_there_are_none() -> None:
    with raises(RuntimeError, "tapegrad has no complex numbers, and so no Fourier transforms."):
        tg.fft.rfft(tg.ones(4))
    for refused in (tg.distributed.ProcessGroup, tg.jit.ScriptFunction):
        with pytest.raises(RuntimeError, match="tapegrad "):
            refused()


@both
def test_times(lib: Any) -> None:
    benchmark = importlib.import_module(f"{lib.__name__}.utils.benchmark")
    calls: list[int] = []
    words = {"label": "calls", "sub_label": "row", "description": "column"}
    threads = lib.get_num_threads()
    timer = benchmark.Timer("calls.append(1)", globals={"calls": calls}, **words)
    once = timer.timeit(200)
    assert lib.get_num_threads() == threads
    assert len(calls) >= 200 and once.number_per_run == 200 and len(once.times) == 1
    assert 0 < once.median == once.mean < 1 and once.iqr == 0 and once.title == "calls: row"
    for run in (
        timer.blocked_autorange(min_run_time=0.01),
        timer.adaptive_autorange(max_run_time=0.1),
    ):
        assert sum(run.raw_times) >= 0.01 and run.median > 0
        assert run.times[0] == pytest.approx(run.raw_times[0] / run.number_per_run)
        assert "thread" in repr(run) and "calls: row\n" in repr(run)
    table = str(benchmark.Compare([once, run]))
    assert "column" in table and "1 threads: " in table and "Times are in " in table
    with pytest.raises(SyntaxError):
        benchmark.Timer("no such name").timeit(1)


@both
def test_assert_as_a_function(lib: Any) -> None:
    assert lib._assert(True, "right") is None
    with pytest.raises(AssertionError, match="wrong"):
        lib._assert(lib.tensor(False), "wrong")
