"""Batches of small matrices: solutions, inverses and factors, against other libraries.

    python -m benchmarks.linalg [--all]

tapegrad with the threads that it takes by itself, PyTorch with one and with two, and JAX and MLX
where they are installed. Libraries take turns in one process; the best of several blocks counts,
in microseconds for a batch of a hundred matrices.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .engines import Engine, load
from .measure import wait_for_quiet

BATCH = 100
SIZES = (4, 8, 16, 32, 64)
DTYPES = ("float32", "float64")
BLOCK = 0.01
ENGINES = ("tapegrad", "torch-1", "torch-2", "jax", "mlx")

Call = Callable[[], Any]
# Those that come first; --all adds the rest.
ASKED = ("solve, vectors", "solve, matrices", "inv", "cholesky", "det")


def matrices(size: int, dtype: str) -> tuple[np.ndarray, ...]:
    """Return positive definite matrices, vectors and matrices for right sides."""
    random = np.random.default_rng(size)
    values = random.standard_normal((BATCH, size, size))
    values = values @ values.swapaxes(-1, -2) + size * np.eye(size)
    right = random.standard_normal((BATCH, size, size))
    return tuple(x.astype(dtype) for x in (values, values[..., 0] + 1, right))


def calls(lib: Any, size: int, dtype: str) -> dict[str, Call]:
    """The functions that are compared, of tapegrad or torch."""
    a, b, c = (lib.from_numpy(x) for x in matrices(size, dtype))
    linalg = lib.linalg
    return {
        "solve, vectors": lambda: linalg.solve(a, b),
        "solve, matrices": lambda: linalg.solve(a, c),
        "inv": lambda: linalg.inv(a),
        "cholesky": lambda: linalg.cholesky(a),
        "det": lambda: linalg.det(a),
        "qr": lambda: linalg.qr(a),
        "eigh": lambda: linalg.eigh(a),
        "svd": lambda: linalg.svd(a),
    }


def jax_calls(jax: Any, size: int, dtype: str) -> dict[str, Call]:
    """The same of JAX, compiled; it has float64 where it is told to."""
    jax.config.update("jax_enable_x64", dtype == "float64")
    a, b, c = (jax.numpy.asarray(x) for x in matrices(size, dtype))
    linalg = jax.numpy.linalg

    def finished(function: Callable[..., Any], *arguments: Any) -> Call:
        compiled = jax.jit(function)
        return lambda: jax.block_until_ready(compiled(*arguments))

    return {
        "solve, vectors": finished(linalg.solve, a, b[..., None]),
        "solve, matrices": finished(linalg.solve, a, c),
        **{
            name: finished(getattr(linalg, name), a)
            for name in ("inv", "cholesky", "det", "qr", "eigh", "svd")
        },
    }


def mlx_calls(mx: Any, size: int, dtype: str) -> dict[str, Call]:
    """The same of MLX, as far as it goes: in float32."""
    if dtype != "float32":
        return {}
    a, b, c = (mx.array(x) for x in matrices(size, dtype))
    b = b[..., None]
    linalg = mx.linalg

    def finished(call: Call) -> Call:
        return lambda: mx.eval(call())

    return {
        "solve, vectors": finished(lambda: linalg.solve(a, b)),
        "solve, matrices": finished(lambda: linalg.solve(a, c)),
        "inv": finished(lambda: linalg.inv(a)),
        "cholesky": finished(lambda: linalg.cholesky(a)),
        "qr": finished(lambda: linalg.qr(a)),
        "eigh": finished(lambda: linalg.eigh(a)),
        "svd": finished(lambda: linalg.svd(a)),
    }


def engine_calls(engine: Engine, size: int, dtype: str) -> dict[str, Call]:
    """The functions of one engine."""
    if engine.name == "jax":
        return jax_calls(engine.jax, size, dtype)  # type: ignore[attr-defined]
    if engine.name == "mlx":
        return mlx_calls(engine.mx, size, dtype)  # type: ignore[attr-defined]
    return calls(engine.m, size, dtype)  # type: ignore[attr-defined]


def product_calls(engine: Engine) -> dict[str, Call]:
    """einsum against the product that it comes to."""
    if engine.name in ("jax", "mlx"):
        return {}
    lib = engine.m  # type: ignore[attr-defined]
    a, b = lib.ones(8, 8), lib.ones(8, 8)
    return {"a @ b": lambda: a @ b, "einsum('ij,jk->ik')": lambda: lib.einsum("ij,jk->ik", a, b)}


def seconds(call: Call) -> float:
    """The time of a call, from as many as fill a block."""
    call()
    runs, start = 0, time.perf_counter()
    while True:
        call()
        runs += 1
        passed = time.perf_counter() - start
        if passed >= BLOCK:
            return passed / runs


def compare(
    engines: Sequence[Engine],
    make: Callable[[Engine], dict[str, Call]],
    names: Sequence[str] | None = None,
    rounds: int = 7,
) -> Iterator[tuple[str, list[float | None]]]:
    """Names with the best time of each engine, None where it has no such function."""
    made = [make(engine) for engine in engines]
    for name in names or made[0]:
        best: list[float | None] = [None] * len(engines)
        for _ in range(rounds):
            for i, engine in enumerate(engines):
                if name not in made[i]:
                    continue
                wait_for_quiet()
                engine.activate()
                found = seconds(made[i][name])
                best[i] = min(best[i] or found, found)
        yield name, best


def row(title: str, engines: Sequence[Engine], best: Sequence[float | None]) -> str:
    """A line of the table; its last column is the best of PyTorch over tapegrad."""
    rivals = [
        t for e, t in zip(engines, best, strict=True) if t is not None and e.name[:5] == "torch"
    ]
    cells = [f"{1e6 * t:.4g}" if t is not None else "" for t in best]
    cells.append(f"{min(rivals) / best[0]:.1f}" if rivals and best[0] else "")
    return f"| {title} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the tables."""
    engines = []
    for name in ENGINES:
        try:
            engines.append(load(name))
        except ImportError as error:
            print(f"{name}: skipped ({error})", file=sys.stderr)
    names = None if "--all" in sys.argv else ASKED
    print("| us | " + " | ".join(e.label for e in engines) + " | torch / tapegrad |")
    print("|---|" + "---:|" * (len(engines) + 1))
    for dtype in DTYPES:
        for size in SIZES:
            made = compare(engines, lambda e, n=size, d=dtype: engine_calls(e, n, d), names)
            for name, best in made:
                print(row(f"{name}, {dtype}, {size}x{size}", engines, best), flush=True)
    for name, best in compare(engines, product_calls):
        print(row(f"{name}, 8x8", engines, best))


if __name__ == "__main__":
    main()
