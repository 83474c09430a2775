"""The same bits at any number of threads; close results on every instruction set.

Run as a program, this file does what the tests need of processes that were started with different
TAPEGRAD_ISA: it writes the results of all rows into an .npz file, or (`--threads`) compares numbers
of threads.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from op_row import Const, Make, Op, S, Sample, outputs, prepare
from op_table import TABLE
from support import LAYOUTS, array, contiguous


def results(op: Op, sample: Sample, layout: Callable = contiguous) -> list[np.ndarray]:
    """Values, and gradients where there are any."""
    inputs: list = []

    def leaf(values: np.ndarray, differentiable: bool) -> tg.Tensor:
        made = layout(values)
        if differentiable and op.diff:
            inputs.append(made.requires_grad_())
        return made

    args, kwargs = prepare(sample, leaf)
    got = outputs(op.call(tg, *args, **kwargs))
    found = [array(r) for r in got]
    roots = [r for r in got if isinstance(r, tg.Tensor) and r.requires_grad]
    if roots:
        weights = [
            contiguous(np.random.default_rng(1).random(tuple(r.shape))).to(r.dtype) for r in roots
        ]
        grads = tg.autograd.grad(roots, inputs, weights, allow_unused=True)
        found += [array(g) for g in grads if g is not None]
    return found


THREADS = (2, 3, 4, 8)

# Inputs above every threading threshold for the rows that have none in the table.
LARGE: dict[str, Callable[[Make], list[Sample]]] = {
    "mm": lambda m: [S(m(257, 311), m(311, 403))],
    "mv": lambda m: [S(m(3001, 1003), m(1003)), S(m(7, 100_003), m(100_003))],
    "dot": lambda m: [S(m(300_001), m(300_001))],
    "outer": lambda m: [S(m(301), m(1003))],
    "stack": lambda m: [S([m(300, 501), m(300, 501)], dim=d) for d in (0, 1, 2)],
    "split": lambda m: [S(m(300, 1003), 100), S(m(300, 1003), [3, 1000], dim=1)],
    "chunk": lambda m: [S(m(300, 1003), 3), S(m(300, 1003), 2, dim=1)],
    "unbind": lambda m: [S(m(3, 100_003)), S(m(100_003, 3), dim=1)],
    "transpose": lambda m: [S(m(301, 1003), 0, 1)],
    "t": lambda m: [S(m(301, 1003))],
    "T": lambda m: [S(m(301, 1003))],
    "mT": lambda m: [S(m(3, 101, 1003))],
    "permute": lambda m: [S(m(50, 60, 101), (2, 0, 1))],
    "reshape": lambda m: [S(m(300, 1003), (1003, 300))],
    "view": lambda m: [S(m(300, 1003), 1003, 300)],
    "view_as": lambda m: [S(m(300, 1003), Const(m(1003, 300)))],
    "reshape_as": lambda m: [S(m(300, 1003), Const(m(1003, 300)))],
    "expand": lambda m: [S(m(1003), 301, 1003), S(m(301, 1), 301, 1003), S(m(), 300_001)],
    "expand_as": lambda m: [S(m(1003), Const(m(301, 1003)))],
    "broadcast_to": lambda m: [S(m(301, 1), (301, 1003))],
    "broadcast_tensors": lambda m: [S(m(1003), m(301, 1))],
    "atleast_1d": lambda m: [S(m(300_001))],
    "squeeze": lambda m: [S(m(1, 300_001))],
    "unsqueeze": lambda m: [S(m(300_001), 0)],
    "flatten": lambda m: [S(m(301, 1003))],
    "unflatten": lambda m: [S(m(301, 1000), 1, (10, -1))],
    "ravel": lambda m: [S(m(301, 1003))],
    "movedim": lambda m: [S(m(50, 60, 101), 0, -1)],
    "diagonal": lambda m: [S(m(601, 603)), S(m(300, 1003), 3, 1, 0)],
    "diag": lambda m: [S(m(601, 603)), S(m(701))],
    "tril": lambda m: [S(m(301, 1003), 5)],
    "triu": lambda m: [S(m(301, 1003), 5)],
    "flip": lambda m: [S(m(301, 1003), (0, -1))],
    "getitem": lambda m: [
        S(m(301, 1003), (slice(None, None, 2), slice(3, None))),
        S(m(301, 1003), m.index(301, 5000)),  # the same rows many times
        S(m(301, 1003), (m.index(301, 200_003), m.index(1003, 200_003))),
        S(m(301, 1003), (slice(None), m.index(1003, 2000))),
        S(m(301, 1003), m.mask(301, 1003)),
    ],
    "setitem": lambda m: [
        S(m(301, 1003), slice(1, None), m(300, 1003)),
        S(m(301, 1003), m.mask(301, 1003), m()),
        S(m(301, 1003), m.random.permutation(301), m(301, 1003)),
    ],
    "select": lambda m: [S(m(3, 300_001), 0, 1), S(m(300_001, 3), 1, 1)],
    "narrow": lambda m: [S(m(301, 1003), 1, 3, 900)],
    "gather": lambda m: [
        S(m(301, 1003), 0, m.place(301, 400, 1003)),
        S(m(301, 1003), 1, m.place(1003, 301, 2000)),
    ],
    "masked_select": lambda m: [S(m(301, 1003), m.mask(301, 1003)), S(m(301, 1003), m.mask(1003))],
    "dropout": lambda m: [S(m(300_001), 0.5, True)],
    "allclose": lambda m: [S(x := m(300_001), x), S(m(300_001), m(300_001))],
    "equal": lambda m: [S(x := m(300_001), x)],
    "is_nonzero": lambda m: [S(m(1))],  # it takes no more
    **dict.fromkeys(
        ("hstack", "vstack", "dstack", "column_stack"),
        lambda m: [S([m(300, 501), m(300, 501)])],
    ),
    **dict.fromkeys(
        ("tensor_split", "hsplit", "vsplit", "unsafe_chunk"), lambda m: [S(m(300, 1002), 3)]
    ),
    "dsplit": lambda m: [S(m(30, 100, 102), 3)],
    "unsafe_split_with_sizes": lambda m: [S(m(300, 1003), [3, 1000], dim=1)],
    "atleast_2d": lambda m: [S(m(300_001))],
    "atleast_3d": lambda m: [S(m(300_001))],
    "meshgrid": lambda m: [S(m(301), m(1003), indexing="xy")],
    "cartesian_prod": lambda m: [S(m(301), m(1003))],
    "combinations": lambda m: [S(m(701))],
    "rot90": lambda m: [S(m(301, 1003), k) for k in range(4)],
    "fliplr": lambda m: [S(m(301, 1003))],
    "flipud": lambda m: [S(m(301, 1003))],
    "select_scatter": lambda m: [S(m(3, 300_001), m(300_001), 0, 1)],
    "slice_scatter": lambda m: [S(m(301, 1003), m(301, 501), 1, 1, None, 2)],
    "diagonal_scatter": lambda m: [S(m(601, 603), m(601))],
    "as_strided_scatter": lambda m: [S(m(301, 1003), m(301, 500), (301, 500), (1003, 2))],
    "unfold": lambda m: [S(m(301, 1003), 1, 5, 2), S(m(301, 1003), 0, 7, 3)],
    "diag_embed": lambda m: [S(m(301, 103))],
    "diagflat": lambda m: [S(m(701))],
    "fill_diagonal_": lambda m: [S(m(601, 603), 1)],
    "put": lambda m: [S(m(301, 1003), m.random.permutation(301 * 1003)[:100_000], m(100_000))],
    "take_along_dim": lambda m: [S(m(301, 1003), m.place(301, 1, 1003), 0)],
    "repeat_interleave": lambda m: [
        S(m(301, 103), 5, 1),
        S(m(301, 103), Const(m.place(9, 301)), 0),
    ],
    "argwhere": lambda m: [S(m(301, 1003))],
    "unravel_index": lambda m: [S(m.place(301 * 1003, 100_000), (301, 1003))],
    "mode, of distinct values": lambda m: [S(m.distinct(301, 103), 1)],
    "msort": lambda m: [S(m.distinct(1003, 301))],
    "cumulative_trapezoid": lambda m: [S(m(301, 1003), dim=d) for d in (0, 1)],
    "unique_consecutive": lambda m: [S(m(301, 1003), return_inverse=True)],
    "bucketize": lambda m: [S(m(301, 1003), np.sort(m(100)))],
    "pdist": lambda m: [S(m(203, 7), p) for p in (1, 2, 3)],
    "dist": lambda m: [S(m(301, 1003), m(301, 1003), p) for p in (1, 2, 3)],
    "renorm": lambda m: [S(m(301, 1003), 2, d, 1.5) for d in (0, 1)],
    "cov": lambda m: [S(m(101, 3003))],
    "corrcoef": lambda m: [S(m(101, 3003))],
    # Above the table's sizes: a product that the BLAS library computes.
    "matmul": lambda m: [S(m(701, 1103), m(1103, 903))] if m.dtype == "float32" else [],
}


def large_samples(op: Op, make: Make) -> list[Sample]:
    found = list(op.large(make)) if op.large else []
    if op.name in LARGE:
        found += LARGE[op.name](make)
    elif op.large is None:
        pytest.fail(f"the row {op.name!r} has no large inputs: neither in the table nor here")
    return found


def same_bits(
    op: Op,
    sample: Sample,
    threads: Callable[[int], None],
    layout: str,
    counts: tuple[int, ...] = THREADS,
) -> None:
    def run(count: int) -> list[np.ndarray]:
        threads(count)
        tg.manual_seed(7)
        return results(op, sample, LAYOUTS[layout])

    want = run(1)
    for count in counts:
        for a, b in zip(run(count), want, strict=True):
            message = f"{op.name}({sample}) in {a.dtype}: {count} threads"
            assert a.tobytes() == b.tobytes(), message


@pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)
def test_same_bits_at_any_number_of_threads(op: Op, threads) -> None:
    dtypes = {"float32", "float64", "int64"} & set(op.dtypes) or {op.dtypes[0]}
    for dtype in sorted(dtypes):
        for sample in large_samples(op, Make(dtype, 1)):
            same_bits(op, sample, threads, "contiguous")


@pytest.mark.parametrize("op", [op for op in TABLE if not op.view], ids=lambda op: op.name)
def test_same_bits_of_transposed_inputs(op: Op, threads) -> None:
    dtype = "float32" if "float32" in op.dtypes else op.dtypes[0]
    for sample in large_samples(op, Make(dtype, 2)):
        same_bits(op, sample, threads, "transposed")


def test_same_bits_in_each_run() -> None:
    """Recycled memory and reused buffers leave no trace."""
    for op in TABLE:
        dtype = "float32" if "float32" in op.dtypes else op.dtypes[-1]
        for sample in list(op.samples(Make(dtype, 2)))[:5]:
            first = results(op, sample)
            for a, b in zip(results(op, sample), first, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"{op.name}({sample})")


OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": lambda p: tg.optim.SGD(p, lr=0.1),
    "momentum": lambda p: tg.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda p: tg.optim.Adam(p, lr=1e-2),
    "adamw": lambda p: tg.optim.AdamW(p, lr=1e-2, weight_decay=0.1),
    "rmsprop": lambda p: tg.optim.RMSprop(p, lr=1e-3, momentum=0.5, centered=True),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_has_the_same_bits_at_any_number_of_threads(
    name: str, dtype: str, threads: Callable[[int], None]
) -> None:
    """Batches in random order, dropout, the loss of each step and the parameters at the end."""
    nn, data = tg.nn, tg.utils.data

    def train(count: int) -> list[bytes]:
        threads(count)
        tg.manual_seed(3)
        kind = getattr(tg, dtype)
        x, y = tg.randn(2048, 64, dtype=kind), tg.randint(0, 10, (2048,))
        # Weights above the threshold from which an optimiser uses several threads.
        net = nn.Sequential(
            nn.Linear(64, 512), nn.Tanh(), nn.Dropout(0.2), nn.Linear(512, 128), nn.ReLU()
        )
        net.append(nn.Linear(128, 10))
        net.to(kind)
        optimizer = OPTIMIZERS[name](net.parameters())
        seen = []
        for rows, classes in data.DataLoader(data.TensorDataset(x, y), 512, shuffle=True):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(rows), classes)
            loss.backward()
            optimizer.step()
            seen.append(array(loss))
        assert len({loss.tobytes() for loss in seen}) > 1, "nothing was learnt"
        return [value.tobytes() for value in (*seen, *map(array, net.parameters()))]

    want = train(1)
    for count in THREADS:
        assert train(count) == want, f"{count} threads"


def test_second_derivatives_have_the_same_bits_at_any_number_of_threads(threads) -> None:
    def product(count: int) -> list[bytes]:
        threads(count)
        tg.manual_seed(4)
        x, w, v = tg.randn(700, 300), tg.randn(300, 200, requires_grad=True), tg.randn(300, 200)
        loss = ((x @ w).tanh().softmax(1) ** 2).sum()
        (g,) = tg.autograd.grad(loss, w, create_graph=True)
        (hv,) = tg.autograd.grad(g, w, v)
        return [array(g).tobytes(), array(hv).tobytes()]

    want = product(1)
    assert all(product(count) == want for count in THREADS)


def test_thread_count_is_checked() -> None:
    for bad in (0, -1):
        with pytest.raises(RuntimeError, match="set_num_threads expects a positive integer"):
            tg.set_num_threads(bad)


# ---------------------------------------------------------------- instruction sets


def all_results() -> dict[str, np.ndarray]:
    found = {}
    for op in TABLE:
        dtypes = [d for d in op.dtypes if d != "bool"] or op.dtypes
        for dtype in dtypes:
            make = Make(dtype, zlib.crc32(op.name.encode()))
            for k, sample in enumerate(op.samples(make)):
                for n, value in enumerate(results(op, sample)):
                    found[f"{op.name}-{dtype}-{k}-{n}"] = value
        if op.large and "float32" in op.dtypes:
            for sample in list(op.large(Make("float32", 1)))[:1]:
                for n, value in enumerate(results(op, sample)):
                    found[f"{op.name}-float32-large-{n}"] = value.ravel()[::97]
    return found


def subprocess_environment(**extra: str) -> dict[str, str]:
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in paths if p), **extra}


@pytest.fixture(scope="module")
def here() -> dict[str, np.ndarray]:
    return all_results()


def test_this_process_uses_a_known_instruction_set() -> None:
    assert tg.__config__.isa() in tg.__config__.available_isas()


def run_with(isa: str, argument: str) -> None:
    """Run this file with the kernels of an instruction set; it prints which one that was."""
    done = subprocess.run(
        [sys.executable, __file__, argument],
        env=subprocess_environment(TAPEGRAD_ISA=isa),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == isa


@pytest.mark.parametrize("isa", tg.__config__.available_isas())
def test_instruction_sets_agree(isa: str, here: dict, tmp_path: Path) -> None:
    path = tmp_path / "results.npz"
    run_with(isa, str(path))
    with np.load(path) as other:
        assert set(other) == set(here)
        for key, want in here.items():
            rough = 1e-12 if want.dtype == np.float64 else 2e-5 if want.dtype == np.float32 else 0
            finite = np.abs(want[np.isfinite(want)]) if want.dtype.kind == "f" else np.zeros(0)
            scale = max(1.0, float(finite.max())) if finite.size else 1.0
            np.testing.assert_allclose(other[key], want, rough, rough * scale, err_msg=key)


OTHER_ISAS = [isa for isa in tg.__config__.available_isas() if isa != tg.__config__.isa()]


@pytest.mark.parametrize("isa", OTHER_ISAS)
def test_same_bits_at_any_number_of_threads_on_other_instruction_sets(isa: str) -> None:
    run_with(isa, "--threads")


def compare_threads() -> None:
    for op in TABLE:
        for dtype in sorted({"float32", "float64"} & set(op.dtypes)):
            for sample in large_samples(op, Make(dtype, 1)):
                same_bits(op, sample, tg.set_num_threads, "contiguous", (3, 8))


def test_unknown_instruction_set_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import tapegrad"],
        capture_output=True,
        text=True,
        env=subprocess_environment(TAPEGRAD_ISA="v99"),
        check=False,
    )
    assert done.returncode != 0
    assert "TAPEGRAD_ISA" in done.stderr
    assert "v99" in done.stderr


if __name__ == "__main__":
    if sys.argv[1] == "--threads":
        compare_threads()
    else:
        np.savez(sys.argv[1], **all_results())
    print(tg.__config__.isa())
