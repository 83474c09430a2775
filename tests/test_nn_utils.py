"""Helpers of nn beside PyTorch's: sequences, parametrisations, clipping, initialisation."""

import copy
import math
import pickle

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import raises

torch = pytest.importorskip("torch")


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "requires_grad"):
        return str(value.dtype).split(".")[-1], value.detach().numpy().tolist()
    return value


def outcome(action, lib):
    try:
        return plain(action(lib))
    except Exception as error:
        return type(error), str(error).replace("torch.", "tapegrad.")


def same(action):
    ours, theirs = outcome(action, tg), outcome(action, torch)
    assert ours == theirs


# ---------------------------------------------------------------------- sequences


def x(lib):
    return lib.arange(12.0).reshape(3, 2, 2)


def three(lib):
    return [lib.ones(3, 2), 2 * lib.ones(1, 2), 3 * lib.ones(2, 2)]


SEQUENCES = {
    "pack": lambda r, lib: r.pack_padded_sequence(x(lib), [3, 1]),
    "pack tensor": lambda r, lib: r.pack_padded_sequence(x(lib), lib.tensor([3, 3])),
    "pack int32": lambda r, lib: r.pack_padded_sequence(
        x(lib), lib.tensor([2, 1], dtype=lib.int32)
    ),
    "pack first": lambda r, lib: r.pack_padded_sequence(x(lib), [2, 2, 1], batch_first=True),
    "pack unsorted": lambda r, lib: r.pack_padded_sequence(x(lib), [1, 3], enforce_sorted=False),
    "pack one dimension more": lambda r, lib: r.pack_padded_sequence(x(lib)[..., 0], [3, 2]),
    "pack order": lambda r, lib: r.pack_padded_sequence(x(lib), [1, 3]),
    "pack count": lambda r, lib: r.pack_padded_sequence(x(lib), [3, 2, 1]),
    "pack zero": lambda r, lib: r.pack_padded_sequence(x(lib), [2, 0]),
    "pack matrix": lambda r, lib: r.pack_padded_sequence(x(lib), [[2, 1]]),
    "pack nothing": lambda r, lib: r.pack_padded_sequence(x(lib)[:0], [2, 1]),
    "pack vector": lambda r, lib: r.pack_padded_sequence(lib.ones(3), [3]),
    "sequences": lambda r, lib: r.pack_sequence(three(lib), enforce_sorted=False),
    "sequences order": lambda r, lib: r.pack_sequence(three(lib)),
    "sequences none": lambda r, lib: r.pack_sequence([]),
    "unpack": lambda r, lib: r.unpack_sequence(r.pack_sequence(three(lib), enforce_sorted=False)),
    "round": lambda r, lib: r.pad_packed_sequence(r.pack_padded_sequence(x(lib), [3, 1])),
    "round unsorted": lambda r, lib: r.pad_packed_sequence(
        r.pack_sequence(three(lib), enforce_sorted=False), batch_first=True, padding_value=-1
    ),
    "total": lambda r, lib: r.pad_packed_sequence(
        r.pack_padded_sequence(x(lib), [3, 1]), total_length=5, padding_value=7.5
    ),
    "total short": lambda r, lib: r.pad_packed_sequence(
        r.pack_padded_sequence(x(lib), [3, 1]), total_length=2
    ),
    "pad": lambda r, lib: r.pad_sequence(three(lib)),
    "pad first": lambda r, lib: r.pad_sequence(three(lib), batch_first=True, padding_value=9),
    "pad left": lambda r, lib: r.pad_sequence(three(lib), padding_side="left"),
    "pad tensor": lambda r, lib: r.pad_sequence(x(lib)),
    "pad generator": lambda r, lib: r.pad_sequence(t for t in three(lib)),
    "pad dtypes": lambda r, lib: r.pad_sequence([lib.ones(2), lib.arange(1)]),
    "pad integers": lambda r, lib: r.pad_sequence([lib.arange(3), lib.arange(1)]),
    "pad nothing": lambda r, lib: r.pad_sequence([]),
    "pad number": lambda r, lib: r.pad_sequence(3),
    "pad numbers": lambda r, lib: r.pad_sequence([3]),
    "pad side": lambda r, lib: r.pad_sequence(three(lib), padding_side="up"),
    "unpad": lambda r, lib: r.unpad_sequence(lib.arange(6).reshape(3, 2), lib.tensor([1, 3])),
    "unpad first": lambda r, lib: r.unpad_sequence(
        lib.arange(6).reshape(2, 3), lib.tensor([1, 3]), batch_first=True
    ),
    "made": lambda r, lib: r.PackedSequence((lib.ones(3), lib.tensor([2, 1]))),
    "made order": lambda r, lib: r.PackedSequence(
        lib.ones(3), lib.tensor([2, 1]), lib.tensor([1, 0])
    ),
    "made wrong": lambda r, lib: r.PackedSequence(lib.ones(3)),
    "invert": lambda r, lib: r.invert_permutation(lib.tensor([2, 0, 1])),
    "invert none": lambda r, lib: r.invert_permutation(None),
    "methods": lambda r, lib: [
        getattr(r.pack_sequence([lib.tensor([1.5, 2.5])]), name)()
        for name in ("double", "float", "long", "int", "byte", "cpu", "is_pinned")
    ],
}


@pytest.mark.parametrize("case", SEQUENCES)
def test_sequences(case):
    same(lambda lib: SEQUENCES[case](lib.nn.utils.rnn, lib))


@both
def test_packed_sequences_are_tuples(lib):
    rnn = lib.nn.utils.rnn
    packed = rnn.pack_sequence([lib.tensor([1.0, 2.0]), lib.tensor([3.0])])
    data, sizes, *rest = packed
    assert data is packed.data and sizes is packed.batch_sizes and rest == [None, None]
    assert packed.cpu() is packed and packed.to(lib.float32) is packed and not packed.is_cuda
    assert packed.to(lib.float64).data.dtype == lib.float64
    for again in (copy.deepcopy(packed), pickle.loads(pickle.dumps(packed))):
        assert type(again) is rnn.PackedSequence and again.data.tolist() == [1, 3, 2]


def test_lengths_beyond_the_input_are_refused():
    with raises(RuntimeError, "Expected lengths of at most 3"):
        tg.nn.utils.rnn.pack_padded_sequence(x(tg), [4, 1])
    for shapes in (((2, 3), (1, 2)), ((2,), (1, 2)), ((), (1,))):
        with raises(RuntimeError, "pad_sequence: Expected sequences whose shapes differ in the"):
            tg.nn.utils.rnn.pad_sequence([tg.ones(shape) for shape in shapes])


def test_gradients_of_sequences():
    rnn = tg.nn.utils.rnn
    a, b = (tg.randn(n, 2, dtype=tg.float64, requires_grad=True) for n in (2, 3))

    def there(a, b):
        return rnn.pack_sequence([a, b], enforce_sorted=False).data.sin()

    def back(a, b):
        packed = rnn.pack_sequence([a, b], enforce_sorted=False)
        return rnn.pad_packed_sequence(packed, padding_value=2.0)[0].sin()

    for function in (there, back):
        assert tg.autograd.gradcheck(function, (a, b))
        assert tg.autograd.gradgradcheck(function, (a, b))


# ---------------------------------------------------------------------- parametrisations


def layer(lib, dtype="float64"):
    made = lib.nn.Linear(3, 2, dtype=getattr(lib, dtype))
    with lib.no_grad():
        made.weight.copy_(lib.arange(6.0).reshape(2, 3) - 2.5)
        made.bias.fill_(0.5)
    return made


def kinds(lib):
    class Symmetric(lib.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).t()

        def right_inverse(self, x):
            return x.triu()

    class Exp(lib.nn.Module):
        def forward(self, x):
            return x.exp()

    class Sum(lib.nn.Module):
        def forward(self, a, b):
            return a + 2 * b

        def right_inverse(self, x):
            return x / 2, x / 4

    class Double(lib.nn.Module):
        def forward(self, x):
            return 2 * x

        def right_inverse(self, x):
            return x / 2

    class NoInverse(Double):
        def right_inverse(self, x):
            raise NotImplementedError

    class Wider(lib.nn.Module):
        def forward(self, x):
            return lib.cat([x, x])

    class Single(lib.nn.Module):
        def forward(self, x):
            return x.to(lib.float32)

    class Number(lib.nn.Module):
        def forward(self, x):
            return 3

    class Wrong(Double):
        def right_inverse(self, x):
            return 3

    class SingleInverse(Double):
        def right_inverse(self, x):
            return x.to(lib.float32)

    class Three(Sum):
        def right_inverse(self, x):
            return x, 3

    return {k: v for k, v in locals().items() if k != "lib"}


PARAMETRIZED = {
    "sum": lambda p, m, k: p.register_parametrization(m, "weight", k["Sum"]()),
    "double twice": lambda p, m, k: (
        p.register_parametrization(m, "weight", k["Double"]()),
        p.register_parametrization(m, "weight", k["Double"]()),
    ),
    "no inverse": lambda p, m, k: p.register_parametrization(m, "weight", k["NoInverse"]()),
    "exp": lambda p, m, k: p.register_parametrization(m, "weight", k["Exp"]()),
    "two tensors": lambda p, m, k: (
        p.register_parametrization(m, "weight", k["Double"]()),
        p.register_parametrization(m, "bias", k["Sum"]()),
    ),
    "wider": lambda p, m, k: p.register_parametrization(m, "weight", k["Wider"]()),
    "single": lambda p, m, k: p.register_parametrization(m, "weight", k["Single"]()),
    "number": lambda p, m, k: p.register_parametrization(m, "weight", k["Number"]()),
    "wrong inverse": lambda p, m, k: p.register_parametrization(m, "weight", k["Wrong"]()),
    "single inverse": lambda p, m, k: p.register_parametrization(m, "weight", k["SingleInverse"]()),
    "three": lambda p, m, k: p.register_parametrization(m, "weight", k["Three"]()),
    "no name": lambda p, m, k: p.register_parametrization(m, "wheight", k["Double"]()),
    "wider unsafe": lambda p, m, k: p.register_parametrization(
        m, "bias", k["Wider"](), unsafe=True
    ),
    "then wider": lambda p, m, k: (
        p.register_parametrization(m, "weight", k["Double"]()),
        p.register_parametrization(m, "weight", k["Wider"]()),
    ),
    "then single": lambda p, m, k: (
        p.register_parametrization(m, "weight", k["Double"]()),
        p.register_parametrization(m, "weight", k["Single"]()),
    ),
    "then number": lambda p, m, k: (
        p.register_parametrization(m, "weight", k["Double"]()),
        p.register_parametrization(m, "weight", k["Number"]()),
    ),
    "then wrong inverse": lambda p, m, k: (
        p.register_parametrization(m, "weight", k["Double"]()),
        p.register_parametrization(m, "weight", k["Wrong"]()),
    ),
    "then single inverse": lambda p, m, k: (
        p.register_parametrization(m, "weight", k["Double"]()),
        p.register_parametrization(m, "weight", k["SingleInverse"]()),
    ),
    "remove nothing": lambda p, m, k: p.remove_parametrizations(m, "weight"),
    "remove": lambda p, m, k: (
        p.register_parametrization(m, "weight", k["Double"]()),
        p.remove_parametrizations(m, "weight"),
    ),
    "remove and leave": lambda p, m, k: (
        p.register_parametrization(m, "weight", k["Exp"]()),
        p.remove_parametrizations(m, "weight", leave_parametrized=False),
    ),
    "remove several": lambda p, m, k: (
        p.register_parametrization(m, "weight", k["Sum"]()),
        p.remove_parametrizations(m, "weight"),
    ),
    "leave several": lambda p, m, k: (
        p.register_parametrization(m, "weight", k["Sum"]()),
        p.remove_parametrizations(m, "weight", leave_parametrized=False),
    ),
    "assign": lambda p, m, k: (
        p.register_parametrization(m, "weight", k["Sum"]()),
        setattr(m, "weight", m.weight + 1),
    ),
    "assign without inverse": lambda p, m, k: (
        p.register_parametrization(m, "weight", k["Exp"]()),
        setattr(m, "weight", m.weight + 1),
    ),
    "none": lambda p, m, k: p.ParametrizationList([], m.weight),
}


@pytest.mark.parametrize("case", PARAMETRIZED)
def test_parametrized_modules(case):
    def run(lib):
        module, table = layer(lib), kinds(lib)
        weight = module.weight
        parametrize = lib.nn.utils.parametrize
        PARAMETRIZED[case](parametrize, module, table)
        state = {k: v.tolist() for k, v in module.state_dict().items()}
        y = None
        if case != "wider unsafe":
            y = module(lib.ones(4, 3, dtype=lib.float64))
            y.sum().backward()
        grads = [(n, p.grad.tolist() if y is not None else 0) for n, p in module.named_parameters()]
        kept = any(p is weight for p in module.parameters())
        names = [type(module).__name__, parametrize.type_before_parametrizations(module).__name__]
        flags = [parametrize.is_parametrized(module, n) for n in (None, "weight", "bias")]
        return [state, grads, kept, names, flags, y, repr(module)]

    ours, theirs = outcome(run, tg), outcome(run, torch)
    assert ours == theirs


@both
def test_cached_parametrizations(lib):
    calls = []

    class Counted(lib.nn.Module):
        def forward(self, x):
            calls.append(1)
            return x + 1

    module = layer(lib)
    parametrize = lib.nn.utils.parametrize
    parametrize.register_parametrization(module, "weight", Counted())
    calls.clear()
    with parametrize.cached():
        first = module.weight
        with parametrize.cached():
            assert module.weight is first
        assert module.weight is first
    assert len(calls) == 1 and module.weight is not first


@both
def test_copies_of_parametrized_modules(lib):
    module = layer(lib)
    lib.nn.utils.parametrizations.weight_norm(module)
    copied = copy.deepcopy(module)
    with lib.no_grad():
        module.parametrizations.weight.original0.mul_(2)
    np.testing.assert_allclose(
        module.weight.detach().numpy(), 2 * copied.weight.detach().numpy(), rtol=1e-12
    )
    with raises(RuntimeError, "Serialization of parametrized modules is only supported through st"):
        pickle.dumps(module)
    other = layer(lib)
    lib.nn.utils.parametrize.transfer_parametrizations_and_params(module, other)
    assert other.weight.tolist() == module.weight.tolist()
    assert other.parametrizations.weight.original0 is module.parametrizations.weight.original0


@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")
def test_weight_norm(dim, legacy):
    def run(lib):
        module = layer(lib)
        make = lib.nn.utils.weight_norm if legacy else lib.nn.utils.parametrizations.weight_norm
        assert make(module, dim=dim) is module
        opt = lib.optim.SGD(module.parameters(), lr=0.1)
        for _ in range(3):
            opt.zero_grad()
            module(lib.ones(2, 3, dtype=lib.float64)).tanh().sum().backward()
            opt.step()
        module(lib.ones(2, 3, dtype=lib.float64))
        state = {k: np.array(v.tolist()) for k, v in module.state_dict().items()}
        if legacy:
            lib.nn.utils.remove_weight_norm(module)
        else:
            lib.nn.utils.parametrize.remove_parametrizations(module, "weight")
        return state, module.weight.detach().numpy(), [n for n, _ in module.named_parameters()]

    (ours, weight, names), (theirs, other, expected) = run(tg), run(torch)
    assert list(ours) == list(theirs) and names == expected
    for key, value in theirs.items():
        np.testing.assert_allclose(ours[key], value, rtol=1e-12)
    np.testing.assert_allclose(weight, other, rtol=1e-12)


@both
def test_old_states_of_weight_norm(lib):
    with pytest.warns(FutureWarning, match=r"weight_norm. is deprecated in favor of"):
        old = lib.nn.utils.weight_norm(layer(lib))
    text = "Cannot register two weight_norm hooks on the same parameter weight"
    with pytest.warns(FutureWarning), raises(RuntimeError, text):
        lib.nn.utils.weight_norm(old)
    new = lib.nn.utils.parametrizations.weight_norm(lib.nn.Linear(3, 2, dtype=lib.float64))
    new.load_state_dict(old.state_dict())
    np.testing.assert_allclose(new.weight.detach().numpy(), old.weight.detach().numpy(), rtol=1e-12)
    with raises(ValueError, "weight_norm of 'bias' not found in Linear("):
        lib.nn.utils.remove_weight_norm(old, "bias")


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("dim", [0, 1])
def test_spectral_norm(legacy, dim):
    rng = np.random.default_rng(0)
    start = {"u": rng.normal(size=2), "v": rng.normal(size=3)}
    if dim:
        start = {"u": start["v"], "v": start["u"]}

    def run(lib):
        module = layer(lib)
        utils = lib.nn.utils
        make = utils.spectral_norm if legacy else utils.parametrizations.spectral_norm
        make(module, n_power_iterations=2, dim=dim)
        buffers = dict(module.named_buffers())
        with lib.no_grad():
            for name, buffer in buffers.items():
                values = start[name[-1]] / np.linalg.norm(start[name[-1]])
                buffer.copy_(lib.from_numpy(values))
        x = lib.ones(2, 3, dtype=lib.float64)
        for _ in range(2):
            module.zero_grad()
            module(x).sin().sum().backward()
        grads = [p.grad.numpy() for p in module.parameters()]
        values = {k: v.detach().numpy().copy() for k, v in module.state_dict().items()}
        module.eval()
        y = module(x).detach().numpy()
        if legacy:
            utils.remove_spectral_norm(module)
        else:
            utils.parametrize.remove_parametrizations(module, "weight")
        return values, grads, y, module.weight.detach().numpy()

    (values, grads, y, weight), (expected, others, z, other) = run(tg), run(torch)
    assert list(values) == list(expected)
    for key, value in expected.items():
        np.testing.assert_allclose(values[key], value, rtol=1e-10, err_msg=key)
    for a, b in zip([*grads, y, weight], [*others, z, other], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


SPECTRAL_MISTAKES = {
    "iterations": lambda u, m: u.parametrizations.spectral_norm(m, n_power_iterations=0),
    "old iterations": lambda u, m: u.spectral_norm(m, n_power_iterations=-1),
    "dim": lambda u, m: u.parametrizations.spectral_norm(m, dim=2),
    "name": lambda u, m: u.parametrizations.spectral_norm(m, "other"),
    "twice": lambda u, m: u.spectral_norm(u.spectral_norm(m)),
    "remove": lambda u, m: u.remove_spectral_norm(m),
}


@pytest.mark.parametrize("case", SPECTRAL_MISTAKES)
def test_mistakes_with_spectral_norm(case):
    same(lambda lib: SPECTRAL_MISTAKES[case](lib.nn.utils, layer(lib)))


# ---------------------------------------------------------------------- the rest


@both
def test_skipped_initialisation(lib):
    lib.manual_seed(1)
    expected = lib.rand(3).tolist()
    lib.manual_seed(1)
    made = lib.nn.utils.skip_init(lib.nn.Linear, 3, out_features=2, dtype=lib.float64)
    assert lib.rand(3).tolist() == expected
    assert tuple(made.weight.shape) == (2, 3) and made.weight.dtype == lib.float64
    assert isinstance(made.weight, lib.nn.Parameter)
    with raises(RuntimeError, "Expected a Module; got <class 'int'>"):
        lib.nn.utils.skip_init(int)
    with raises(RuntimeError, "Module must support a 'device' arg to skip initialization"):
        lib.nn.utils.skip_init(lib.nn.ReLU)
    lib.nn.init.ones_(made.weight)
    assert made.weight.sum().item() == 6


@both
def test_old_names_warn(lib):
    p = lib.ones(2, requires_grad=True)
    p.grad = lib.tensor([3.0, 4.0])
    with pytest.warns(FutureWarning, match=r"nn.utils.clip_grad_norm. is now deprecated in favor"):
        assert lib.nn.utils.clip_grad_norm(p, 1.0).item() == 5.0
    names = "uniform normal constant eye xavier_uniform xavier_normal kaiming_uniform"
    for name in [*names.split(), "kaiming_normal", "orthogonal", "sparse", "dirac"]:
        tensor = lib.zeros(2, 2, 2) if name == "dirac" else lib.zeros(2, 2)
        options = {"constant": (2.0,), "sparse": (0.5,)}.get(name, ())
        text = f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`."
        with pytest.warns(FutureWarning) as caught:
            assert getattr(lib.nn.init, name)(tensor, *options) is tensor
        assert [str(w.message) for w in caught] == [text] and tensor.any()


INITIAL = {
    "gain": lambda i, lib: [
        i.calculate_gain(name)
        for name in (
            *("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d"),
            *("conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"),
        )
    ],
    "gain slope": lambda i, lib: [i.calculate_gain("leaky_relu", s) for s in (0.2, 1, 0)],
    "gain bool": lambda i, lib: i.calculate_gain("leaky_relu", True),
    "gain text": lambda i, lib: i.calculate_gain("leaky_relu", "0.2"),
    "gain name": lambda i, lib: i.calculate_gain("gelu"),
    "eye": lambda i, lib: i.eye_(lib.empty(2, 3)),
    "eye vector": lambda i, lib: i.eye_(lib.empty(2)),
    "dirac 1": lambda i, lib: i.dirac_(lib.empty(4, 2, 3)),
    "dirac 2": lambda i, lib: i.dirac_(lib.empty(2, 3, 2, 3)),
    "dirac 3": lambda i, lib: i.dirac_(lib.empty(2, 2, 1, 3, 2)),
    "dirac groups": lambda i, lib: i.dirac_(lib.empty(4, 2, 3), groups=2),
    "dirac none": lambda i, lib: i.dirac_(lib.empty(0, 2, 3)),
    "dirac matrix": lambda i, lib: i.dirac_(lib.empty(2, 2)),
    "dirac division": lambda i, lib: i.dirac_(lib.empty(3, 2, 3), groups=2),
    "sparse cube": lambda i, lib: i.sparse_(lib.empty(2, 2, 2), 0.1),
    "sparse zeros": lambda i, lib: (i.sparse_(lib.empty(10, 4), 0.35) == 0).sum(0),
    "orthogonal vector": lambda i, lib: i.orthogonal_(lib.empty(3)),
    "orthogonal none": lambda i, lib: i.orthogonal_(lib.empty(0, 3)),
    "fan": lambda i, lib: i.xavier_uniform_(lib.empty(3)),
    "mode": lambda i, lib: i.kaiming_uniform_(lib.empty(3, 3), mode="fan"),
    "constants": lambda i, lib: [i.ones_(lib.empty(2)), i.zeros_(lib.empty(2))],
}


@pytest.mark.parametrize("case", INITIAL)
def test_initialisation(case):
    same(lambda lib: INITIAL[case](lib.nn.init, lib))


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [(0, 1, -2, 2), (0, 1, 1.0, 4.0), (1, 0.5, 5.0, 6.0), (0, 1, -9.0, -7.0), (0.5, 2, 0.4, 0.6)],
)
@pytest.mark.filterwarnings("ignore:mean is more than 2 std:UserWarning")
def test_truncated_normal_numbers(mean, std, a, b):
    n = 40_000
    tg.manual_seed(0)
    values = tg.nn.init.trunc_normal_(tg.empty(n, dtype=tg.float64), mean, std, a, b).numpy()
    assert values.min() >= a and values.max() <= b
    grid = np.linspace(a, b, 20_001)
    density = np.exp(-0.5 * ((grid - mean) / std) ** 2)
    cumulative = np.cumsum(density) / density.sum()
    found = np.searchsorted(np.sort(values), grid) / n
    assert np.abs(found - cumulative).max() < 2.2 / math.sqrt(n)  # Kolmogorov and Smirnov


@both
def test_truncation_far_off_warns(lib):
    with pytest.warns(UserWarning, match="mean is more than 2 std from"):
        lib.nn.init.trunc_normal_(lib.empty(3), 0, 1, 3.0, 4.0)


@both
def test_initialisation_takes_a_generator(lib):
    for name in (
        *("uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "xavier_normal_"),
        *("kaiming_uniform_", "kaiming_normal_", "orthogonal_"),
    ):

        def draw(name=name):
            generator = lib.Generator()
            generator.manual_seed(3)
            return getattr(lib.nn.init, name)(lib.empty(4, 3), generator=generator).tolist()

        assert draw() == draw()


def test_the_same_names():
    assert set(torch.nn.utils.__all__) <= set(tg.nn.utils.__all__)
    assert set(torch.nn.init.__all__) <= set(tg.nn.init.__all__)
    assert set(torch.nn.utils.rnn.__all__) == set(tg.nn.utils.rnn.__all__)
    assert set(torch.nn.utils.parametrize.__all__) == set(tg.nn.utils.parametrize.__all__)


VARIABLES = {
    "both": lambda v, lib: v(lib.ones(2), True, True),
    "integer": lambda v, lib: v(lib.ones(2), 1).requires_grad,
    "none": lambda v, lib: v(lib.ones(2), requires_grad=None),
    "number": lambda v, lib: v(3),
    "integers": lambda v, lib: v(lib.arange(2), True),
    "nothing": lambda v, lib: v(),
    "parameter": lambda v, lib: v(lib.nn.Parameter(lib.ones(1))).requires_grad,
}


@pytest.mark.parametrize("case", VARIABLES)
@pytest.mark.filterwarnings("ignore:volatile was removed:UserWarning")
def test_variables(case):
    same(lambda lib: VARIABLES[case](lib.autograd.Variable, lib))


@both
def test_volatile_variables_warn(lib):
    with pytest.warns(UserWarning, match="volatile was removed and now has no effect. Use `with"):
        variable = lib.autograd.Variable(lib.ones(2), volatile=True)
    assert not variable.requires_grad
