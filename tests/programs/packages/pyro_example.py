"""A Bayesian regression, by variational inference and by Hamiltonian Monte Carlo."""

import pyro
import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.infer import MCMC, NUTS, SVI, Predictive, Trace_ELBO
from pyro.infer.autoguide import AutoNormal
from pyro.nn import PyroModule, PyroSample

pyro.set_rng_seed(0)
x = torch.linspace(-1, 1, 40)
y = 1.5 * x - 0.5 + 0.1 * torch.sin(37 * x)


def model(x, y=None):
    slope = pyro.sample("slope", dist.Normal(0.0, 2.0))
    level = pyro.sample("level", dist.Normal(0.0, 2.0))
    noise = pyro.sample("noise", dist.HalfNormal(0.5))
    with pyro.plate("data", len(x)):
        return pyro.sample("y", dist.Normal(level + slope * x, noise), obs=y)


trace = pyro.poutine.trace(
    pyro.poutine.condition(
        model,
        data={"slope": torch.tensor(1.0), "level": torch.tensor(0.0), "noise": torch.tensor(0.5)},
    )
).get_trace(x, y)
print(f"log density {trace.log_prob_sum().item():.4f}")

guide = AutoNormal(model)
svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.03}), loss=Trace_ELBO(num_particles=2))
losses = [svi.step(x, y) for _ in range(300)]
print("better:", sum(losses[-20:]) < sum(losses[:20]) / 10)
median = guide.median()
print("slope is near:", abs(median["slope"].item() - 1.5) < 0.15)
print("level is near:", abs(median["level"].item() + 0.5) < 0.1)
draws = Predictive(model, guide=guide, num_samples=20)(x)["y"]
print(draws.shape, bool(draws.isfinite().all()))


def guide_by_hand(x, y=None):
    loc = pyro.param("loc", torch.zeros(2))
    scale = pyro.param("scale", torch.full((2,), 0.1), constraint=constraints.positive)
    pyro.sample("slope", dist.Normal(loc[0], scale[0]))
    pyro.sample("level", dist.Normal(loc[1], scale[1]))
    pyro.sample(
        "noise", dist.Delta(pyro.param("n", torch.tensor(0.2), constraint=constraints.positive))
    )


pyro.clear_param_store()
svi = SVI(model, guide_by_hand, pyro.optim.ClippedAdam({"lr": 0.03}), Trace_ELBO())
for _ in range(200):
    svi.step(x, y)
print("by hand:", abs(pyro.param("loc")[0].item() - 1.5) < 0.15, sorted(pyro.get_param_store()))

mcmc = MCMC(NUTS(model, jit_compile=False), num_samples=60, warmup_steps=40, disable_progbar=True)
mcmc.run(x, y)
samples = mcmc.get_samples()
print({name: tuple(value.shape) for name, value in sorted(samples.items())})
print("slope is near:", abs(samples["slope"].mean().item() - 1.5) < 0.15)


class Regression(PyroModule):
    def __init__(self):
        super().__init__()
        self.linear = PyroModule[torch.nn.Linear](1, 1)
        self.linear.weight = PyroSample(dist.Normal(0.0, 1.0).expand([1, 1]).to_event(2))

    def forward(self, x):
        return self.linear(x[:, None]).squeeze(-1)


print(Regression()(x).shape)
