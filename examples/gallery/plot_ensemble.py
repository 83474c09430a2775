"""
Regression with uncertainty
===========================

Sixty small networks are fitted to the same noisy points. Each has a random function of its own
added to it, which is never trained. Where there are data, all agree; where there are none, they
do not, and their spread says so. All of them are trained at once, as one network with one more
dimension.
"""

import matplotlib.pyplot as plt
import numpy as np

import tapegrad
from tapegrad import nn
from tapegrad.func import functional_call, stack_module_state, vmap

LOOK = {
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
}
tapegrad.manual_seed(0)
plt.style.use(["tableau-colorblind10", LOOK])

# %%
# A curve, measured in two places only.


def truth(x):
    return np.sin(2 * x) + 0.4 * x


rng = np.random.default_rng(1)
x = np.concatenate([rng.uniform(-2.6, -0.7, 40), rng.uniform(0.9, 2.4, 30)]).astype(np.float32)
y = (truth(x) + rng.normal(0, 0.15, len(x))).astype(np.float32)
inputs, targets = tapegrad.from_numpy(x[:, None]), tapegrad.from_numpy(y[:, None])

# %%
# ``stack_module_state`` puts the parameters of all members into one dict, with the member as the
# first dimension. ``functional_call`` runs one member with parameters from outside, and ``vmap``
# makes of it a function that runs all of them.

MEMBERS, WAVES = 60, 24


def make_member():
    return nn.Sequential(
        nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1)
    )


member = make_member()
params, _ = stack_module_state([make_member() for _ in range(MEMBERS)])
optimizer = tapegrad.optim.AdamW(params.values(), lr=0.01)

# %%
# The random function of each member is a sum of sines, which stays as it was drawn (Osband,
# Aslanides and Cassirer, 2018). The network must undo it where there are data, and has no reason to
# elsewhere.

priors = {
    "speed": 1.5 * tapegrad.randn(MEMBERS, WAVES),
    "phase": 2 * np.pi * tapegrad.rand(MEMBERS, WAVES),
    "size": 1.4 * (2 / WAVES) ** 0.5 * tapegrad.randn(MEMBERS, WAVES),
}


def answer(params, prior, inputs):
    waves = prior["size"] * tapegrad.sin(inputs * prior["speed"] + prior["phase"])
    return functional_call(member, params, (inputs,)) + waves.sum(dim=1, keepdim=True)


def loss_of_one(params, prior):
    return (answer(params, prior, inputs) - targets).square().mean()


# %%
# The gradients of the sum of all losses are those of each member by itself.


@tapegrad.compile
def step():
    optimizer.zero_grad()
    loss = vmap(loss_of_one)(params, priors).sum()
    loss.backward()
    optimizer.step()
    return loss


for _ in range(800):
    loss = step()
print(f"mean squared error of a member on its points: {loss.item() / MEMBERS:.4f}")

# %%
# What they say from one end to the other.

line = tapegrad.linspace(-4, 4, 400).unsqueeze(1)
with tapegrad.no_grad():
    answers = vmap(answer, in_dims=(0, 0, None))(params, priors, line).squeeze(2)
mean, spread = answers.mean(dim=0).numpy(), answers.std(dim=0).numpy()

grid = line.squeeze(1).numpy()
near = np.abs(grid[:, None] - x).min(axis=1) < 0.1
spread_near, spread_far = spread[near].mean(), spread[~near].mean()
print(f"spread near data {spread_near:.2f}, elsewhere {spread_far:.2f}")

figure, axes = plt.subplots(figsize=(8, 4.5))
for width, opacity in [(2, 0.18), (1, 0.25)]:
    label = f"mean ± {width} standard deviations" if width == 2 else None
    low, high = mean - width * spread, mean + width * spread
    axes.fill_between(grid, low, high, color="C0", alpha=opacity, linewidth=0, label=label)
axes.plot(grid, answers[:25].numpy().T, color="C0", linewidth=0.5, alpha=0.35)
axes.plot(grid, mean, color="C0", linewidth=2.2, label="mean of the ensemble")
axes.plot(grid, truth(grid), color="0.25", linestyle=(0, (4, 2)), label="truth")
axes.scatter(x, y, s=22, color="C1", edgecolor="white", linewidth=0.5, zorder=3, label="data")
axes.set(xlim=(-4, 4), ylim=(-5, 5), xlabel="x", ylabel="y")
axes.set_title("Sure where there are data, unsure elsewhere")
axes.legend(frameon=False, ncols=2, loc="upper left")
plt.show()
