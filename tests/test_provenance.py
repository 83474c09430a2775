"""Where nodes come from: the line and the module of each."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref

import pytest

import faults
import tapegrad
from tapegrad import nn


def x3() -> tapegrad.Tensor:
    return tapegrad.tensor([1.0, 2.0, 3.0], requires_grad=True)


def of(tensor: tapegrad.Tensor):
    return tensor.grad_fn.traceback


def test_line_function_and_text() -> None:
    x = x3()
    y = x.exp()  # [exp]
    place = of(y)
    assert f"{place.file}:{place.line}" == faults.line_of(test_line_function_and_text, "exp")
    assert place.function == "test_line_function_and_text" or sys.version_info >= (3, 11)
    assert place.text == faults.source_of(test_line_function_and_text, "exp")
    assert place.module is None
    assert str(place) == f"{place.file}:{place.line}, in {place.function}: {place.text}"


def test_each_line_of_a_function() -> None:
    x = x3()
    a = x * 2
    b = a + 1
    c, d = a.sum(), b.mean()
    assert [of(t).line - of(a).line for t in (a, b, c, d)] == [0, 1, 2, 2]


def test_frames_that_the_interpreter_puts_before_init() -> None:
    """CPython 3.13 specialises calls of classes that were called often, by frames of its own."""

    class Doubled:
        def __init__(self, x: tapegrad.Tensor) -> None:
            self.value = x * 2  # [init]
            self.handle = self.value.sum().register_hook(lambda grad: grad)

    def cube(x: tapegrad.Tensor) -> tapegrad.Tensor:
        return (x**3).sum()

    with tapegrad.autograd.detect_anomaly():  # which keeps the whole stack
        made = [Doubled(x3()) for _ in range(100)]
    lines = {of(each.value).line for each in made}
    assert [str(line) for line in lines] == [faults.line_of(Doubled.__init__, "init").split(":")[1]]
    # Classes of the package, which are looked through.
    for _ in range(100):
        hessian = tapegrad.func.hessian(cube)(x3())
    assert hessian.diagonal().tolist() == [6.0, 12.0, 18.0]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python has no columns")
def test_columns() -> None:
    x = x3()
    y = x.exp().sin()
    text = of(y).text
    start = len("    ")
    call = text[of(y).column - start : of(y).end_column - start]
    assert call == "x.exp().sin()"
    inner = y.grad_fn.next_functions[0][0].traceback
    assert text[inner.column - start : inner.end_column - start] == "x.exp()"


def test_operators_and_functions_have_lines() -> None:
    x = x3()
    results = [
        x + 1, 1 - x, x @ x, -x, abs(x), x[0], x[1:], x**2, tapegrad.stack([x, x]),
        tapegrad.where(x > 1, x, 0), x.max(dim=0).values, tapegrad.nn.functional.softmax(x, 0),
        tapegrad.cat([x, x]), x.reshape(3, 1), tapegrad.einsum("i,i->", x, x),
        tapegrad.linalg.norm(x), nn.functional.mse_loss(x, tapegrad.zeros(3)),
    ]  # fmt: skip
    for result in results:
        assert of(result).function.endswith("test_operators_and_functions_have_lines"), result


def test_files_of_the_package_are_skipped() -> None:
    x = tapegrad.ones(2, 3, requires_grad=True)
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.GELU(), nn.Linear(4, 2)))
    out = model(x)  # [call]
    node = out.grad_fn
    while node is not None:
        assert f"{node.traceback.file}:{node.traceback.line}" == faults.line_of(
            test_files_of_the_package_are_skipped, "call"
        )
        node = next((n for n, _ in node.next_functions if n and n.next_functions), None)


def test_line_in_a_generator_and_a_comprehension() -> None:
    x = x3()

    def squares():
        for _ in range(2):
            yield x * x  # [yield]

    place = faults.line_of(test_line_in_a_generator_and_a_comprehension, "yield")
    for y in squares():
        assert f"{of(y).file}:{of(y).line}" == place
    ys = [x.exp() for _ in range(2)]
    assert of(ys[0]).line == of(ys[1]).line > of(y).line


def test_compiled_text() -> None:
    space = {"x": x3()}
    exec(compile("\n\ny = x.exp()", "<cell 7>", "exec"), space)
    place = of(space["y"])
    assert (place.file, place.line, place.function, place.text) == ("<cell 7>", 3, "<module>", "")
    assert str(place) == "<cell 7>:3"


def test_many_pieces_of_code_that_come_and_go() -> None:
    x = x3()
    for i in range(300):
        space = {"x": x}
        exec(compile("\n" * i + "y = x.exp()", f"<cell {i}>", "exec"), space)
        y = space["y"]
        del space
        gc.collect(0)
        assert (of(y).file, of(y).line) == (f"<cell {i}>", i + 1)


def test_no_frame_and_no_local_is_kept() -> None:
    class Local:
        pass

    def make():
        local = Local()
        return x3().exp(), weakref.ref(local)

    y, local = make()
    assert local() is None
    assert of(y) is not None


def test_line_of_a_thread() -> None:
    found = []

    def work() -> None:
        found.append(of(x3().exp()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found[0].function.endswith("work")


def test_function_of_ones_own() -> None:
    class Double(tapegrad.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    y = Double.apply(x3())  # [apply]
    place = faults.line_of(test_function_of_ones_own, "apply")
    assert f"{of(y).file}:{of(y).line}" == place


# ----------------------------------------------------------------------------- modules


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.scale = nn.Parameter(tapegrad.ones(3))

    def forward(self, x):
        return self.linear(x).relu() * self.scale


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Block(), Block(), Block()])
        self.head = nn.Linear(3, 1)
        self.hidden = [nn.Linear(3, 3)]  # no submodule

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(self.hidden[0](x)).sum() + 0


def nodes(tensor: tapegrad.Tensor) -> list[tapegrad.Node]:
    seen, stack = [], [tensor.grad_fn]
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.append(node)
            stack += [n for n, _ in node.next_functions]
    return seen


def test_path_of_the_module() -> None:
    for _ in range(2):  # found, and known
        out = Net()(tapegrad.ones(2, 3))
        of_nodes = {(n.name(), n.traceback.module, n.traceback.module_type) for n in nodes(out)}
        assert ("AddmmBackward0", "layers.2.linear", "Linear") in of_nodes
        assert ("ReluBackward0", "layers.0", "Block") in of_nodes
        assert ("AddmmBackward0", "head", "Linear") in of_nodes
        assert ("AddmmBackward0", "Linear", "Linear") in of_nodes  # held by a list
        assert ("AddBackward0", "", "Net") in of_nodes


def test_one_module_in_two_places() -> None:
    shared = nn.Linear(3, 3)
    one, two = nn.Sequential(shared), nn.Sequential(nn.ReLU(), nn.Sequential(shared))
    x = tapegrad.ones(3)
    assert of(one(x)).module == "0"
    assert of(two(x)).module == "1.0"
    assert of(shared(x)).module == ""
    assert of(one(x)).module == "0"


def test_module_ends_with_its_call() -> None:
    x = x3()
    block = Block()
    with pytest.raises(RuntimeError):
        block(tapegrad.ones(5))
    assert of(x * 1).module is None
    block(x)
    assert of(x * 1).module is None


def test_modules_that_come_and_go() -> None:
    for i in range(50):
        model = nn.Sequential(*[nn.Identity()] * (i % 7), nn.Linear(1, 1))
        assert of(model(tapegrad.ones(1))).module == str(i % 7)


def test_cyclic_modules() -> None:
    block = Block()
    object.__setattr__(block, "keep", None)
    block.linear._modules["parent"] = block
    assert of(block(x3())).module == ""
    del block.linear._modules["parent"]


# ------------------------------------------------------------------------------ off


def test_switched_off() -> None:
    program = (
        "import tapegrad as t\n"
        "x = t.ones(2, requires_grad=True)\n"
        "y = x.exp()\n"
        "assert y.grad_fn.traceback is None\n"
        "y.add_(1)\n"
        "try: y.sum().backward()\n"
        "except RuntimeError as error: assert 'overwritten at' not in str(error), error\n"
    )
    subprocess.run(
        [sys.executable, "-c", program], check=True, env={**os.environ, "TAPEGRAD_PROVENANCE": "0"}
    )
