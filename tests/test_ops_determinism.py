"""The same bits at any number of threads; close results on every instruction set.

Run as a program, this file writes the results of all rows into an .npz file, so that the tests can
compare processes that were started with different TAPEGRAD_ISA.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

import tapegrad as tg
from op_row import Make, Op, Sample, outputs, prepare
from op_table import TABLE
from support import array, contiguous


def results(op: Op, sample: Sample) -> list[np.ndarray]:
    """Values, and gradients where there are any."""
    inputs: list = []

    def leaf(values: np.ndarray, differentiable: bool) -> tg.Tensor:
        made = contiguous(values)
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


@pytest.fixture
def threads():
    before = tg.get_num_threads()
    yield tg.set_num_threads
    tg.set_num_threads(before)


@pytest.mark.parametrize("op", [op for op in TABLE if op.large], ids=lambda op: op.name)
def test_same_bits_at_any_number_of_threads(op: Op, threads) -> None:
    dtype = "float32" if "float32" in op.dtypes else "int64"
    for sample in op.large(Make(dtype, 1)):
        threads(1)
        want = results(op, sample)
        for count in (2, 3, 8):
            threads(count)
            for a, b in zip(results(op, sample), want, strict=True):
                assert a.tobytes() == b.tobytes(), f"{op.name}({sample}): {count} threads"


def test_same_bits_in_each_run() -> None:
    """Recycled memory and reused buffers leave no trace."""
    for op in TABLE:
        dtype = "float32" if "float32" in op.dtypes else op.dtypes[-1]
        for sample in list(op.samples(Make(dtype, 2)))[:5]:
            first = results(op, sample)
            for a, b in zip(results(op, sample), first, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"{op.name}({sample})")


def test_training_has_the_same_bits_at_any_number_of_threads(threads) -> None:
    def train(count: int) -> bytes:
        threads(count)
        tg.manual_seed(3)
        x, y = tg.randn(2048, 64), tg.randint(0, 10, (2048,))
        w1 = (tg.randn(256, 64) * 0.1).requires_grad_()
        w2 = (tg.randn(10, 256) * 0.1).requires_grad_()
        for _ in range(3):
            loss = tg.nn.functional.cross_entropy((x @ w1.T).tanh() @ w2.T, y)
            loss.backward()
            with tg.no_grad():
                for w in (w1, w2):
                    w -= 0.1 * w.grad
                    w.grad = None
        return array(w1).tobytes() + array(w2).tobytes()

    want = train(1)
    assert all(train(count) == want for count in (2, 3, 8))


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
            sample = next(iter(op.large(Make("float32", 1))))
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


@pytest.mark.parametrize("isa", tg.__config__.available_isas())
def test_instruction_sets_agree(isa: str, here: dict, tmp_path: Path) -> None:
    path = tmp_path / "results.npz"
    command = [sys.executable, __file__, str(path)]
    done = subprocess.run(
        command,
        env=subprocess_environment(TAPEGRAD_ISA=isa),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == isa
    with np.load(path) as other:
        assert set(other) == set(here)
        for key, want in here.items():
            rough = 1e-12 if want.dtype == np.float64 else 2e-5 if want.dtype == np.float32 else 0
            finite = np.abs(want[np.isfinite(want)]) if want.dtype.kind == "f" else np.zeros(0)
            scale = max(1.0, float(finite.max())) if finite.size else 1.0
            np.testing.assert_allclose(other[key], want, rough, rough * scale, err_msg=key)


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
    np.savez(sys.argv[1], **all_results())
    print(tg.__config__.isa())
