"""Batches of small matrices: solutions, inverses and factors, against PyTorch.

    python -m benchmarks.linalg [THREADS]

Both libraries take turns in one process; the best of several blocks counts, in microseconds for a
batch of a hundred matrices.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

BATCH = 100
SIZES = (4, 8, 16, 32, 64)
DTYPES = ("float32", "float64")
BLOCK = 0.01

Call = Callable[[], Any]


def calls(lib: Any, size: int, dtype: str) -> dict[str, Call]:
    """The functions that are compared, on the same numbers for each library."""
    random = np.random.default_rng(size)
    values = random.standard_normal((BATCH, size, size))
    values = values @ values.swapaxes(-1, -2) + size * np.eye(size)
    a, b, c = (
        lib.from_numpy(x.astype(dtype))
        for x in (values, values[..., 0] + 1, random.standard_normal((BATCH, size, size)))
    )
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


def product_calls(lib: Any) -> dict[str, Call]:
    """einsum against the product that it comes to."""
    a, b = lib.ones(8, 8), lib.ones(8, 8)
    return {"a @ b": lambda: a @ b, "einsum('ij,jk->ik')": lambda: lib.einsum("ij,jk->ik", a, b)}


def seconds(call: Call) -> float:
    """The time of a call, from as many as fill a block."""
    runs, start = 0, time.perf_counter()
    while True:
        call()
        runs += 1
        passed = time.perf_counter() - start
        if passed >= BLOCK:
            return passed / runs


def compare(
    libraries: Sequence[Any], make: Callable[[Any], dict[str, Call]], rounds: int = 7
) -> Iterator[tuple[str, list[float]]]:
    """Names with the best time of each library."""
    made = [make(lib) for lib in libraries]
    for name in made[0]:
        best = [float("inf")] * len(libraries)
        for _ in range(rounds):
            for i, each in enumerate(made):
                best[i] = min(best[i], seconds(each[name]))
        yield name, best


def main() -> None:
    """Print the tables."""
    import torch

    import tapegrad

    libraries = (tapegrad, torch)
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    for lib in libraries:
        lib.set_num_threads(threads)
    print(f"| {threads} thread(s) | dtype | n | tapegrad | torch | torch / tapegrad |")
    print("|---|---|---|---|---|---|")
    for dtype in DTYPES:
        for size in SIZES:
            for name, best in compare(libraries, lambda lib, n=size, d=dtype: calls(lib, n, d)):
                own, other = (1e6 * t for t in best)
                print(
                    f"| {name} | {dtype} | {size} | {own:.1f} | {other:.1f} | {other / own:.1f} |"
                )
    for name, best in compare(libraries, product_calls):
        own, other = (1e6 * t for t in best)
        print(f"| {name} | float32 | 8 | {own:.2f} | {other:.2f} | {other / own:.1f} |", flush=True)


if __name__ == "__main__":
    main()
