"""Random calls of every public function, with arguments that fit and arguments that nobody means.

    python tests/fuzz.py --calls 1000000 --jobs 2        with the installed package
    make fuzz                                            the same under the sanitizers
    python tests/fuzz.py --only 4711                     one call again, shown

A call is made from its number alone, so each can be repeated by itself. It may raise whatever a
user could make sense of; what may not happen is the end of the process, a SystemError or the
like, and a tensor that reaches outside of its storage. Calls run in worker processes: one that
dies is reported with the number of its call, and the run goes on behind it, as it does behind a
call that takes too long.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import itertools
import mmap
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tapegrad as tg
from support import check_tensor

# What a call may raise.
EXPECTED = (
    TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError, MemoryError,
    BufferError, AssertionError, StopIteration,
)  # fmt: skip
# A call of this many seconds is left out: nothing bounds the work that a user asks for.
SLOW = 20
MEMORY = 4 << 30
# Larger tensors are only looked at.
MANY = 1 << 20

DTYPES = [value for value in vars(tg).values() if isinstance(value, tg.dtype)]
HOSTILE_INTS = (
    -1, -2, -129, 2**15, 2**31 - 1, 2**31, -(2**31) - 1, 2**32, 2**48, 2**62, 2**63 - 1, -(2**63),
    2**63, 2**64, -(2**63) - 1,
)  # fmt: skip
FLOATS = (
    0.0, -0.0, 0.5, -1.5, 2.0, 1e-30, 1e30, 1e308, -1e308, 5e-324,
    float("inf"), float("-inf"), float("nan"),
)  # fmt: skip
TEXTS = (
    "mean", "sum", "none", "tanh", "fro", "nuc", "add", "multiply", "prod", "amax", "amin", "floor",
    "trunc", "cpu", "cuda", "float32", "reflect", "relu", "", "\0", "é", "tapegrad.FloatTensor",
)  # fmt: skip


class Overloaded:
    """What asks Python code of the caller for its values."""

    def __index__(self) -> int:
        return 1

    def __float__(self) -> float:
        raise ValueError("no number")

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        return [1, 2][index]


class Maker:
    """Makes arguments."""

    def __init__(self, number: int) -> None:
        self.random = random.Random(number)
        self.tensors: list[tg.Tensor] = []

    def chance(self, of_one: float) -> bool:
        return self.random.random() < of_one

    def choice(self, *values: Any) -> Any:
        return self.random.choice(values)

    # -------------------------------------------------------------------------------- numbers

    def integer(self) -> int:
        if self.chance(0.12):
            return self.random.choice(HOSTILE_INTS)
        return self.random.randint(-3, 5)

    def number(self) -> Any:
        kinds = (self.integer, lambda: self.random.choice(FLOATS), lambda: self.chance(0.5))
        value = self.random.choice(kinds)()
        if self.chance(0.1):
            with contextlib.suppress(OverflowError):
                return self.choice(np.float32, np.int64, np.float64, np.bool_)(value)
        return value

    def sizes(self) -> Any:
        values: Any = [self.integer() for _ in range(self.random.choice((0, 1, 1, 2, 2, 3, 5)))]
        if not self.chance(0.15):
            values = [abs(value) for value in values]
        return self.choice(values, tuple(values), tuple(values), tg.Size(map(int, values)))

    # -------------------------------------------------------------------------------- tensors

    def plain_tensor(self) -> tg.Tensor:
        rank = self.random.choice((0, 1, 1, 2, 2, 2, 3, 4))
        shape = [self.random.choice((0, 1, 1, 2, 2, 3, 3, 4, 17)) for _ in range(rank)]
        dtype = self.random.choice(DTYPES) if self.chance(0.4) else tg.float32
        if self.chance(0.02):
            shape = [self.choice(300, 1025), self.choice(1, 33, 130)]
        count = int(np.prod(shape, dtype=np.int64))
        if dtype.is_floating_point:
            values = [self.random.choice(FLOATS) for _ in range(min(count, 8))]
        else:
            values = [self.random.randint(0, 3) for _ in range(min(count, 8))]
        cycle = list(itertools.islice(itertools.cycle(values or [0]), count))
        return tg.tensor(cycle, dtype=dtype).reshape(shape)

    def tensor(self) -> Any:
        if self.tensors and self.chance(0.35):
            return self.random.choice(self.tensors)
        x = self.plain_tensor()
        with contextlib.suppress(*EXPECTED):
            x = self.random.choice(LAYOUTS)(self, x)
        if x.is_floating_point() and self.chance(0.5) and not x.is_inference():
            x = x.detach().requires_grad_()
            if self.chance(0.5):
                with contextlib.suppress(*EXPECTED):
                    x = self.random.choice(LAYOUTS)(self, x * 1)
        self.tensors.append(x)
        return x

    def array(self) -> np.ndarray:
        x = self.plain_tensor().numpy()
        change = self.choice(
            lambda a: a,
            lambda a: a[::-1],
            lambda a: a.T,
            lambda a: a.astype(self.choice("f2", ">f4", "c8", "i1", "u4", "O", "S3", "M8[s]")),
            lambda a: np.broadcast_to(a, (2, *a.shape)),
            lambda a: np.lib.stride_tricks.as_strided(a, (2,), (1,)) if a.size > 1 else a,
        )
        return np.asarray(change(x))

    # ----------------------------------------------------------------------------- everything

    def index(self) -> Any:
        def part() -> Any:
            return self.choice(
                self.integer,
                lambda: slice(*(self.choice(None, self.integer()) for _ in range(3))),
                lambda: self.choice(None, ..., True, False),
                lambda: self.tensor() > 0,
                lambda: tg.tensor([self.random.randint(-3, 3) for _ in range(3)]),
                lambda: [self.integer(), self.integer()],
                self.tensor,
                self.anything,
            )()

        return part() if self.chance(0.5) else tuple(part() for _ in range(self.choice(0, 1, 2, 3)))

    def anything(self) -> Any:
        return self.choice(
            self.integer,
            self.number,
            self.sizes,
            self.tensor,
            self.array,
            lambda: self.random.choice(TEXTS),
            lambda: self.random.choice(DTYPES),
            lambda: self.choice(
                None, ..., True, object(), Overloaded(), b"ab", 1j, {}, set(), tg, int
            ),
            lambda: [self.anything() for _ in range(self.choice(0, 1, 2))],
            lambda: lambda *a: a[0] if a else None,
            tg.Generator,
            lambda: bytearray(self.choice(0, 1, 7, 8, 64)),
            lambda: tg.nn.Parameter(tg.ones(2)),
        )()

    def of_type(self, kind: str) -> Any:
        """Return an argument for a parameter of a bound operator."""
        if self.chance(0.06):
            return self.anything()
        if kind.startswith("Sequence["):
            inner = kind[len("Sequence[") : -1].split(" | ")[0]
            return [self.of_type(inner) for _ in range(self.choice(0, 1, 2, 3))]
        makers: dict[str, Callable[[], Any]] = {
            "Tensor": self.tensor,
            "_Operand": lambda: self.tensor() if self.chance(0.7) else self.number(),
            "_int": self.integer,
            "_bool": lambda: self.chance(0.5),
            "_Dims": lambda: self.sizes() if self.chance(0.7) else self.integer(),
            "_DType": lambda: self.random.choice(DTYPES),
            "_float": self.number,
            "_Number": self.number,
            "_Device": lambda: self.choice("cpu", None, tg.device("cpu")),
            "Generator": lambda: self.choice(None, tg.Generator()),
            "str": lambda: self.random.choice(TEXTS),
            "_float | str": lambda: self.choice(self.number(), self.random.choice(TEXTS)),
        }
        return makers.get(kind, self.anything)()


LAYOUTS: tuple[Callable[[Maker, Any], Any], ...] = (
    *[lambda m, x: x] * 4,
    lambda m, x: x.t(),
    lambda m, x: x[1:],
    lambda m, x: x[..., ::2],
    lambda m, x: x.expand(m.choice(2, 3), *x.shape),
    lambda m, x: x.as_strided((2, 3), (1, 1)),
    lambda m, x: x.as_strided((4,), (0,)),
    lambda m, x: x.transpose(0, -1)[None],
    lambda m, x: x.flatten()[:0],
    lambda m, x: tg.from_numpy(np.asarray(x)),
    lambda m, x: made_in_inference_mode(x),
)


def made_in_inference_mode(x: Any) -> Any:
    with tg.inference_mode():
        return x + 0


# ---------------------------------------------------------------------------------------- calls


@dataclass
class Call:
    """A function and its arguments."""

    name: str
    function: Callable[..., Any]
    args: list[Any]
    kwargs: dict[str, Any]

    def __str__(self) -> str:
        shown = [*map(short, self.args), *(f"{k}={short(v)}" for k, v in self.kwargs.items())]
        return f"{self.name}({', '.join(shown)})"


def short(value: Any) -> str:
    """Return a text of a value; of a tensor what it is and how it lies."""
    if isinstance(value, tg.Tensor):
        return (
            f"<{value.dtype} {tuple(value.shape)} strides {value.stride()} "
            f"grad {value.requires_grad}>"
        )
    if isinstance(value, np.ndarray):
        return f"<array {value.dtype} {value.shape}>"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(short, value))}]"
    return repr(value)[:80]


# What would end the run, or change what later calls do, or write files.
LEFT_OUT = {
    "save", "load", "set_num_threads", "set_default_dtype", "set_printoptions", "printoptions",
    "seed", "short_spins", "lazy", "set_grad_enabled", "set_default_device", "set_warn_always",
    "set_default_tensor_type", "use_deterministic_algorithms", "set_deterministic_debug_mode",
}  # fmt: skip


def public(module: Any, names: Any = None) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in names or dir(module):
        found = getattr(module, name, None)
        if not name.startswith("_") and name not in LEFT_OUT and callable(found):
            yield f"{getattr(module, '__name__', module)}.{name}", found


def other_functions() -> list[tuple[str, Callable[..., Any]]]:
    """Return what is public and no bound operator."""
    operators = {n for o in tg._C._operators() for n in (o["name"], *o["aliases"])}
    special = [
        f"__{prefix}{name}__"
        for prefix in ("", "r", "i")
        for name in (
            *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"),
            *("and", "or", "xor", "lshift", "rshift"),
        )
    ]
    special += [
        f"__{name}__"
        for name in (
            *("eq", "lt", "ge", "neg", "abs", "invert", "bool", "int", "float", "index", "len"),
            *("iter", "contains", "array", "dlpack", "reduce_ex", "deepcopy", "repr", "format"),
        )
    ]
    tensor_names = [n for n in dir(tg.Tensor) if not n.startswith("_") and n not in operators]
    methods = [
        (f"Tensor.{name}", getattr(tg.Tensor, name))
        for name in [*tensor_names, *special]
        if name not in LEFT_OUT and callable(getattr(tg.Tensor, name, None))
    ]
    found = [f for f in public(tg) if f[0].rpartition(".")[2] not in operators]
    for module in (tg.nn.functional, tg.autograd, tg.autograd.functional, tg.linalg, tg.nn):
        found += public(module, getattr(module, "__all__", None))
    return found + methods * 2


OTHERS = other_functions()
OPERATORS = tg._C._operators()


def operator_call(m: Maker) -> Call:
    operator = m.random.choice(OPERATORS)
    name = m.random.choice([operator["name"], *operator["aliases"]])
    parameters = m.random.choice(operator["forms"])["parameters"]
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for parameter in parameters:
        optional = "default" in parameter
        if optional and m.chance(0.5):
            continue
        value = None if parameter["none"] and m.chance(0.2) else m.of_type(parameter["type"])
        if parameter["kind"] == "variadic" and m.chance(0.5):
            args += value if isinstance(value, list | tuple) else [value]
        elif parameter["kind"] == "keyword" or optional or (args and m.chance(0.1)):
            kwargs[parameter["name"]] = value
        else:
            args.append(value)
    if m.chance(0.03):
        args.append(m.anything())
    if operator["out"] and m.chance(0.06):
        kwargs["out"] = m.tensor()
    if operator["method"] and (not operator["function"] or m.chance(0.5)):
        return Call(f"Tensor.{name}", getattr(tg.Tensor, name), args or [m.tensor()], kwargs)
    module = tg._C._linalg if operator["module"].endswith("_linalg") else tg._C
    return Call(name, getattr(tg, name, None) or getattr(module, name), args, kwargs)


def other_call(m: Maker) -> Call:
    name, function = m.random.choice(OTHERS)
    args = [m.tensor()] if name.startswith("Tensor.") else []
    try:
        parameters = list(inspect.signature(function).parameters.values())[len(args) :]
    except (TypeError, ValueError):
        count = m.choice(0, 1, 1, 2, 3)
        return Call(name, function, args + [m.anything() for _ in range(count)], {})
    kwargs = {}
    for parameter in parameters:
        value = m.tensor() if m.chance(0.5) else m.anything()
        text = str(parameter.annotation)
        if "int" in text and m.chance(0.7):
            value = m.integer()
        elif "float" in text and m.chance(0.7):
            value = m.number()
        elif "Callable" in text and m.chance(0.8):
            value = m.choice(lambda *x: x[0].sum(), lambda *x: x[0] * 2, lambda *x: None)
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.default is not parameter.empty:
            if m.chance(0.35):
                kwargs[parameter.name] = value
        else:
            args.append(value)
    return Call(name, function, args, kwargs)


def index_call(m: Maker) -> Call:
    x, index = m.tensor(), m.index()
    if m.chance(0.5):
        return Call("getitem", lambda x, i: x[i], [x, index], {})

    def assign(x: Any, index: Any, value: Any) -> Any:
        x[index] = value
        return x

    return Call("setitem", assign, [x, index, m.of_type("_Operand")], {})


def attribute_call(m: Maker) -> Call:
    def assign(x: Any, name: str, value: Any) -> Any:
        setattr(x, name, value)
        return x

    name = m.choice("data", "grad", "requires_grad", "shape", "dtype", "T", "mT", "grad_fn", "name")
    if m.chance(0.4):
        return Call("getattr", getattr, [m.tensor(), name], {})
    value = m.tensor() if m.chance(0.6) else m.anything()
    return Call("setattr", assign, [m.tensor(), name, value], {})


def make_call(number: int) -> tuple[Call, Maker]:
    m = Maker(number)
    kinds = (*[operator_call] * 6, other_call, other_call, index_call, attribute_call)
    return m.random.choice(kinds)(m), m


# ------------------------------------------------------------------------------------ a call runs


def tensors_in(value: Any) -> list[tg.Tensor]:
    if isinstance(value, tg.Tensor):
        return [] if tg.nn.parameter.is_lazy(value) else [value]
    if isinstance(value, list | tuple) and len(value) < 100:
        return [x for part in value for x in tensors_in(part)]
    return []


def use(m: Maker, x: Any) -> None:
    """Do with a result what users do."""
    action = m.choice(
        repr,
        lambda x: x.sum().backward() if x.requires_grad else x.sum(),
        lambda x: (x * x).sum().backward(create_graph=True) if x.requires_grad else x * x,
        lambda x: tg.autograd.grad(x.sum(), m.tensors, allow_unused=True),
        lambda x: x.tolist(),
        lambda x: x.detach().numpy().sum(),
        lambda x: x.clone().zero_(),
        lambda x: x.contiguous().view(-1)[-1:].item(),
        lambda x: x.fill_(1),
        lambda x: x.mul_(2),
        lambda x: x[..., 0],
        lambda x: x.grad_fn and (x.grad_fn.formula, repr(x.grad_fn), x.grad_fn.next_functions),
        lambda x: x.to(m.random.choice(DTYPES)),
    )
    if x.numel() <= MANY:
        action(x)
    else:
        repr(x)


class Wrong(Exception):
    """A tensor that is not what it says."""


def check(tensors: list[tg.Tensor]) -> None:
    try:
        check_tensor(tensors)
    except Exception as error:
        raise Wrong from error


def run(number: int) -> bool:
    """Run a call; return whether it gave a result.

    Raises:
        Wrong: where a tensor is not what it says.
        Exception: whatever else a call must not raise.
    """
    with contextlib.suppress(*EXPECTED):  # of the arguments: layouts that a tensor does not have
        call, m = make_call(number)
        try:
            result = call.function(*call.args, **call.kwargs)
        except EXPECTED:
            check(m.tensors)
            return False
        found = tensors_in(result)
        check([*found, *m.tensors])
        for x in found[:2]:
            with contextlib.suppress(*EXPECTED):
                use(m, x)
        return True
    return False


def reset() -> None:
    """Undo what a call may have changed for all."""
    tg.set_default_dtype(tg.float32)
    tg.set_grad_enabled(True)
    tg.manual_seed(0)


# ------------------------------------------------------------------------------------ processes

_STATE = struct.Struct("qqq")  # the call that runs, calls that were made, those that gave a result


def work(state_file: str, begin: int, end: int) -> None:
    if "asan" not in os.environ.get("LD_PRELOAD", ""):  # the sanitizer maps all of memory
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    tg.set_num_threads(2)
    with open(state_file, "r+b") as file, mmap.mmap(file.fileno(), _STATE.size) as state:
        _, made, successes = _STATE.unpack(state[:])
        parent = os.getppid()
        for number in range(begin, end):
            if os.getppid() != parent:  # nobody waits for the outcome any more
                return
            state[:] = _STATE.pack(number, made, successes)
            with contextlib.redirect_stdout(io.StringIO()):
                successes += run(number)
            made += 1
            reset()
        state[:] = _STATE.pack(end, made, successes)


@dataclass
class Report:
    made: int = 0
    successes: int = 0
    failures: int = 0
    left_out: int = 0


class Worker:
    """A range of calls, and the process that runs them: another one behind each that dies."""

    def __init__(self, begin: int, end: int, folder: Path, report: Report) -> None:
        self.next, self.end, self.report = begin, end, report
        self.state, self.output = folder / f"{begin}.state", folder / f"{begin}.output"
        self.state.write_bytes(_STATE.pack(begin, 0, 0))
        self.start()

    def start(self) -> None:
        command = [sys.executable, __file__, "--work", self.state, self.next, self.end]
        with self.output.open("w") as output:
            self.process: subprocess.Popen[bytes] | None = subprocess.Popen(
                list(map(str, command)), stdout=output, stderr=output
            )
        self.since = time.monotonic()

    def current(self) -> tuple[int, int, int]:
        return _STATE.unpack(self.state.read_bytes())  # type: ignore[return-value]

    def go_on(self) -> None:
        number = self.current()[0] + 1
        self.next = number
        if number < self.end:
            self.start()
        else:
            self.process = None

    def poll(self) -> bool:
        """Look after the process; return whether there is more to do."""
        if self.process is None:
            return False
        number = self.current()[0]
        code = self.process.poll()
        if code == 0:
            self.process = None
        elif code is not None:
            lines = self.output.read_text(errors="replace").splitlines()
            if any("AddressSanitizer: out-of-memory" in line for line in lines):
                self.report.left_out += 1  # a MemoryError where there is no sanitizer
            else:
                print(f"call {number}: the process ended with {code}", *lines[-40:], sep="\n    ")
                self.report.failures += 1
            self.go_on()
        elif number != self.next:
            self.next, self.since = number, time.monotonic()
        elif time.monotonic() - self.since > SLOW:
            self.process.kill()
            self.process.wait()
            self.report.left_out += 1
            print(f"call {number}: more than {SLOW} s, left out")
            self.go_on()
        return self.process is not None


def run_all(first: int, calls: int, jobs: int) -> Report:
    report = Report()
    bounds = [first + calls * i // jobs for i in range(jobs + 1)]
    with tempfile.TemporaryDirectory() as folder:
        workers = [Worker(a, b, Path(folder), report) for a, b in itertools.pairwise(bounds)]
        begin = shown = time.monotonic()
        while sum(worker.poll() for worker in workers):
            time.sleep(0.05)
            if time.monotonic() - shown > 60:
                shown = time.monotonic()
                made = sum(worker.current()[1] for worker in workers)
                print(f"{shown - begin:5.0f} s: {made} calls", flush=True)
        for worker in workers:
            _, made, successes = worker.current()
            report.made += made
            report.successes += successes
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first call")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", type=int, help="run one call here and show it")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        state, begin, end = options.work
        work(state, int(begin), int(end))
        return 0
    if options.only is not None:
        warnings.simplefilter("ignore")
        print(make_call(options.only)[0], flush=True)
        try:
            print("gave a result" if run(options.only) else "raised what it may")
        except Exception:
            traceback.print_exc()
            return 1
        return 0
    report = run_all(options.first, options.calls, options.jobs)
    print(
        f"{report.made} calls, {report.successes} gave a result, {report.failures} failed, "
        f"{report.left_out} took more than {SLOW} s, or all of the memory"
    )
    return report.failures > 0


if __name__ == "__main__":
    sys.exit(main())
