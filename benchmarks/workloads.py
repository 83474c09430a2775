"""The rows of the table: what is computed, on which sizes, and how exactly engines must agree."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import expressions
from .engines import Case, Engine, Gradients, HessianVector, Training

XOR = Training((2, 8, 1), 4, loss="mse", activation="tanh", by_hand=True)
MLP_TINY = Training((64, 64, 32, 10), 32, optimizer="adam")
MLP_SMALL = Training((64, 128, 10), 64, optimizer="momentum")
MLP_MEDIUM = Training((784, 256, 128, 10), 128, optimizer="adam")
PHYSICS = Training((2, 32, 32, 1), 256, loss="mse", optimizer="adam", activation="tanh")
ONE_SAMPLE = Training((64, 64, 32, 10), 1)
MLP_LARGE = Training((1024, 4096, 1024), 512, loss="mse")

CHAIN = 100_000

Build = Callable[[Engine], Case | None]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Workload:
    """One measurement, which fills one row of the table, or one for each of its `phases`.

    `per` divides the time, for figures per operation. `tolerance` bounds the relative distance,
    in the Euclidean norm, between the arrays that two engines compute. `large` rows take long
    and are left out by `--quick`.
    """

    key: str
    title: str
    build: Build
    group: str = "table"
    per: int = 1
    phases: tuple[str, ...] = ()
    tolerance: float = 1e-4
    large: bool = False


def _statement(text: str) -> Build:
    return lambda engine: engine.statement(text)


def _gradients(
    function: Callable[..., object],
    *shapes: Shape,
    result: Shape = (),
    needs: str = "",
    scale: float = 1,
) -> Build:
    """Value and gradients of `function` at random arrays; `result` is the shape of its value.

    `needs` names a function that not every engine has, and `scale` multiplies the arrays.
    """

    def build(engine: Engine) -> Case | None:
        if needs and not hasattr(engine.f, needs):
            return None
        inputs = [array * np.float32(scale) for array in expressions.arrays(2, *shapes)]
        cotangent = expressions.arrays(3, result)[0] if result else None
        return engine.gradients(Gradients(function, inputs, cotangent))

    return build


def _first_steps(engine: Engine) -> Case | None:
    example = engine.training(MLP_TINY)
    if example is None:
        return None

    def seconds() -> dict[str, float]:
        case = engine.training(MLP_TINY)
        assert case is not None and callable(case.statement)
        start = time.perf_counter()
        case.statement()
        case.statement()
        return {"": time.perf_counter() - start}

    return Case(seconds, example.values, phases=seconds)


def _training(model: Training) -> Build:
    return lambda engine: engine.training(model)


def _hessian_vector(model: Training) -> Build:
    def build(engine: Engine) -> Case | None:
        parameters = model.parameters()
        vectors = expressions.arrays(4, *(p.shape for p in parameters))
        return engine.hessian_vector(
            HessianVector(expressions.loss(model), parameters, vectors, model.data())
        )

    return build


def _operations() -> list[Workload]:
    add = "`a + b`, one element, recorded"
    one = (1,)
    return [
        Workload("add", add, _statement("a + b")),
        Workload("mul-scalar", "`a * 1.5`, one element, recorded", _statement("a * 1.5")),
        Workload("tanh", "`tanh(a)`, one element, recorded", _statement("tanh(a)")),
        Workload("tanh-method", "`a.tanh()`, one element, recorded", _statement("a.tanh()")),
        Workload(
            "chain-100",
            "chain of 100 mixed ops, per op, forward + backward",
            _gradients(expressions.mixed_chain, one, one, one),
            per=100,
        ),
        Workload(
            "add-backward", "`(a + b).backward()`, all of it", _statement("(a + b).backward()")
        ),
    ]


def _training_steps() -> list[Workload]:
    return [
        Workload("xor", "XOR MLP 2-8-1, batch 4, written by hand", _training(XOR)),
        Workload(
            "mlp-tiny",
            "MLP 64-64-32-10, batch 32, cross-entropy, Adam",
            _training(MLP_TINY),
            tolerance=1e-3,
        ),
        Workload("mlp-small", "MLP 64-128-10, batch 64, SGD momentum", _training(MLP_SMALL)),
        Workload(
            "mlp-medium",
            "MLP 784-256-128-10, batch 128, Adam",
            _training(MLP_MEDIUM),
            tolerance=1e-3,
        ),
        Workload(
            "mlp-large", "MLP 1024-4096-1024, batch 512, SGD", _training(MLP_LARGE), large=True
        ),
        Workload(
            "physics",
            "physics-informed loss, MLP 2-32-32-1 tanh, second derivatives, batch 256, Adam",
            lambda engine: engine.physics(PHYSICS),
            tolerance=1e-3,
        ),
        Workload(
            "inference",
            "outputs of MLP 64-64-32-10 for one sample, no gradients",
            lambda engine: engine.inference(ONE_SAMPLE),
        ),
        Workload(
            "first-steps",
            "the first two steps of MLP 64-64-32-10, with what is compiled or recorded for them",
            _first_steps,
            tolerance=1e-3,
        ),
    ]


def _around_steps() -> list[Workload]:
    rows, batch = 4096, 64
    found = [
        Workload(
            f"step-{name.lower()}",
            f"a step of {name}, MLP 64-64-32-10, without the gradients",
            lambda engine, name=name: engine.step(name, MLP_TINY),
            tolerance=1e-3,
        )
        for name in ("NAdam", "Adagrad", "Rprop")
    ]
    found.append(
        Workload(
            "loading",
            f"a batch of {batch} from a DataLoader over a TensorDataset, two fields",
            lambda engine: engine.loading(rows, batch),
            per=rows // batch,
        )
    )
    return found


def _elementwise() -> list[Workload]:
    found = [
        Workload(
            f"fused-1e{power}",
            f"`tanh(a*x+b)*exp(-x*x)+sigmoid(x)`, sum, backward, n = 1e{power}",
            _gradients(expressions.fused, *[(10**power,)] * 3),
            large=power == 7,
            tolerance=1e-3,
        )
        for power in (2, 4, 6, 7)
    ]
    for rows, columns in ((32, 64), (128, 1024), (4096, 1024)):
        found.append(
            Workload(
                f"bias-{rows}x{columns}",
                f"bias add and its unbroadcast, {rows}x{columns}",
                _gradients(
                    expressions.add_bias, (rows, columns), (columns,), result=(rows, columns)
                ),
            )
        )
    found.append(
        Workload(
            "mixed-shapes",
            "(8, 1, 64, 64) * (1, 16, 1, 64) + (8, 16, 64, 1), forward + backward",
            _gradients(
                expressions.mixed_shapes,
                (8, 1, 64, 64),
                (1, 16, 1, 64),
                (8, 16, 64, 1),
                result=(8, 16, 64, 64),
            ),
        )
    )
    return found


def _reductions() -> list[Workload]:
    shape = (4096, 1024)
    found = [
        Workload(
            name.replace("_", "-"),
            f"{name} over (4096, 1024), forward + backward",
            _gradients(getattr(expressions, name), shape, result=shape),
        )
        for name in ("softmax", "log_softmax")
    ]
    for rows, columns in ((32, 64), (4096, 1024)):
        found.append(
            Workload(
                f"layer-norm-{rows}x{columns}",
                f"layer_norm over ({rows}, {columns}), forward + backward",
                _gradients(
                    expressions.layer_norm,
                    (rows, columns),
                    (columns,),
                    (columns,),
                    result=(rows, columns),
                ),
            )
        )
    for name in ("sum", "mean", "max"):
        for dim, result in ((0, (1024,)), (1, (4096,)), (None, ())):
            where = "all" if dim is None else f"dim {dim}"
            found.append(
                Workload(
                    f"{name}-{'all' if dim is None else dim}",
                    f"{name} over {where} of (4096, 1024), forward + backward",
                    _gradients(expressions.reduction(name, dim), shape, result=result),
                    # A sum of four million numbers around zero keeps few digits.
                    tolerance=1e-2 if dim is None else 1e-4,
                )
            )
    return found


def _products() -> list[Workload]:
    found = [
        Workload(
            f"matmul-{n}",
            f"matmul {n}x{n}, forward + backward",
            _gradients(expressions.matmul, (n, n), (n, n), result=(n, n)),
            large=n > 1024,
        )
        for n in (32, 128, 512, 1024, 2048)
    ]
    batch = (64, 64, 64)
    found.append(
        Workload(
            "matmul-batched",
            "batched matmul (64, 64, 64), forward + backward",
            _gradients(expressions.matmul, batch, batch, result=batch),
        )
    )
    return found


def _convolutions() -> list[Workload]:
    found = []
    for images, channels, size in ((1, 8, 8), (8, 8, 8), (16, 64, 32)):
        shape = (images, channels, size, size)
        found.append(
            Workload(
                f"conv2d-{images}x{channels}x{size}",
                f"conv2d 3x3, {channels} to {channels} channels, {size}x{size}, batch {images}, "
                "forward + backward",
                _gradients(
                    expressions.conv2d,
                    shape,
                    (channels, channels, 3, 3),
                    result=shape,
                    needs="conv2d",
                ),
            )
        )
    found.append(
        Workload(
            "lenet",
            "LeNet on 28x28, batch 64, forward + backward",
            _gradients(
                expressions.lenet,
                (64, 1, 28, 28),
                (6, 1, 5, 5),
                (16, 6, 5, 5),
                (784, 120),
                (120, 84),
                (84, 10),
                (64, 10),
                needs="conv2d",
            ),
            tolerance=1e-3,
        )
    )
    return found


def _sequences() -> list[Workload]:
    found = []
    for name, gates in (("lstm", 4), ("gru", 3)):
        for units, batch in ((64, 16), (256, 64)):
            sums, steps = gates * units, 50
            found.append(
                Workload(
                    f"{name}-{units}",
                    f"{name.upper()}, {units} units, {steps} steps, batch {batch}, forward + "
                    "backward",
                    _gradients(
                        expressions.recurrent(name),
                        (steps, batch, units),
                        (sums, units),
                        (sums, units),
                        (sums,),
                        (sums,),
                        result=(steps, batch, units),
                        needs=name,
                        scale=units**-0.5,
                    ),
                    tolerance=1e-3,
                )
            )
    heads = (16, 4, 64, 16)
    found.append(
        Workload(
            "attention",
            "attention, 4 heads of 16, length 64, batch 16, forward + backward",
            _gradients(expressions.attention, *[heads] * 3, result=heads, needs="attention"),
        )
    )
    found.append(
        Workload(
            "embedding",
            "embedding, 1000 rows of 64, 32x50 indices, forward + backward",
            _gradients(expressions.embedding, (1000, 64), result=(32, 50, 64), needs="embedding"),
        )
    )
    return found


def _tables() -> list[Workload]:
    table, taken = (100, 16), expressions.PLACES.shape
    return [
        Workload(
            "gather",
            "gather, 64x16 of a table of 100x16, forward + backward",
            _gradients(expressions.gather, table, result=taken, needs="gather"),
        ),
        Workload(
            "scatter-add",
            "scatter_add, 64x16 to a table of 100x16, forward + backward",
            _gradients(expressions.scatter_add, table, taken, result=table, needs="scatter_add"),
        ),
    ]


def _graphs() -> list[Workload]:
    model = Training((64, 64, 10), 32, activation="tanh")
    return [
        Workload(
            "chain-100000",
            "chain of 100,000 ops on one element, per op",
            lambda engine: engine.chain(CHAIN),
            per=CHAIN,
            phases=("forward", "backward", "destruction"),
        ),
        Workload(
            "hessian-vector",
            "Hessian-vector product, MLP 64-64-10 tanh, batch 32, cross-entropy",
            _hessian_vector(model),
            tolerance=1e-3,
        ),
    ]


def _transforms() -> list[Workload]:
    def transformed(build: Callable[..., object], *arrays: object) -> Build:
        return lambda engine: engine.transformed(build, arrays)

    classifier = Training((64, 64, 10), 64, activation="tanh")
    images = Training((784, 128, 10), 64, activation="tanh")
    member = Training((2, 16, 16, 1), 32, loss="mse", activation="tanh")
    field = Training((2, 32, 32, 1), 64, loss="mse", activation="tanh")
    members = [np.stack([p] * 50) for p in member.parameters()]
    build = expressions.sample_gradients
    return [
        Workload(
            "samples-64",
            "gradients of each of 64 samples, MLP 64-64-10",
            transformed(build(classifier), classifier.parameters(), *classifier.data()),
        ),
        Workload(
            "samples-784",
            "gradients of each of 64 samples, MLP 784-128-10",
            transformed(build(images), images.parameters(), *images.data()),
        ),
        Workload(
            "ensemble",
            "gradients of 50 MLPs 2-16-16-1 at once, batch 32",
            transformed(expressions.ensemble_gradients(member), members, *member.data()),
        ),
        Workload(
            "laplacian",
            "Laplacian of MLP 2-32-32-1 at 64 points, by its Hessian",
            transformed(expressions.laplacian(field), field.parameters(), field.data()[0]),
            tolerance=1e-3,
        ),
        Workload(
            "jacobian",
            "Jacobian of MLP 64-64-10",
            transformed(
                expressions.jacobian(classifier), classifier.parameters(), classifier.data()[0][0]
            ),
        ),
    ]


SWEEP_WIDTHS = (8, 16, 32, 64, 128, 256, 512, 1024)


def sweep_model(width: int) -> Training:
    """Return the model of one point of the picture: two hidden layers of one width."""
    return Training((width, width, width, 10), 64, optimizer="momentum")


def parameter_count(model: Training) -> int:
    """Return how many numbers `model` learns."""
    pairs = zip(model.sizes[:-1], model.sizes[1:], strict=True)
    return sum(inputs * outputs + outputs for inputs, outputs in pairs)


def _sweep() -> list[Workload]:
    return [
        Workload(
            f"sweep-{width}",
            f"MLP {width}-{width}-{width}-10, batch 64, SGD momentum "
            f"({parameter_count(sweep_model(width)):,} parameters)",
            _training(sweep_model(width)),
            group="sweep",
        )
        for width in SWEEP_WIDTHS
    ]


WORKLOADS: tuple[Workload, ...] = (
    *_operations(),
    *_training_steps(),
    *_around_steps(),
    *_elementwise(),
    *_reductions(),
    *_products(),
    *_convolutions(),
    *_sequences(),
    *_tables(),
    *_graphs(),
    *_transforms(),
    *_sweep(),
)
BY_KEY = {workload.key: workload for workload in WORKLOADS}
