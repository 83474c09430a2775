"""
The heat equation without a grid
================================

A rod is warm in two places, and its ends are kept cold. A network learns the temperature over
place and time, not from data but from the equation: its second derivatives are compared with the
first ones at random points. The exact solution is known here, and shows how far off the network
is.
"""

import matplotlib.pyplot as plt
import numpy as np

import tapegrad
from tapegrad import nn
from tapegrad.autograd import grad

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
# The equation is :math:`u_t = k\,u_{xx}` for places and times between 0 and 1. Each sine in the
# first temperature decays by itself, so the exact solution is a sum of three of them.

K = 0.05
WAVES = [(1, 1.0), (2, -0.5), (4, 0.4)]  # half waves on the rod, and how much of each


def exact(x, t):
    sines = [a * np.sin(n * np.pi * x) * np.exp(-K * (n * np.pi) ** 2 * t) for n, a in WAVES]
    return sum(sines)


# %%
# What is certain is built in: at ``t = 0`` the first temperature, and zero at both ends. The
# network only has to learn how it goes on.

network = nn.Sequential(nn.Linear(2, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))


def temperature(x, t):
    first = sum(a * tapegrad.sin(n * np.pi * x) for n, a in WAVES)
    return first + t * x * (1 - x) * network(tapegrad.cat([2 * x - 1, 2 * t - 1], dim=1))


def residual(x, t):
    """By how much the equation is missed; zero everywhere for a solution."""
    u = temperature(x, t)
    u_x, u_t = grad(u.sum(), (x, t), create_graph=True)
    (u_xx,) = grad(u_x.sum(), x, create_graph=True)
    return u_t - K * u_xx


# %%
# Each step draws points anew, more of them early, when most happens. The loss holds second
# derivatives, and ``backward`` differentiates them once more, by the weights; the compiled step
# does all of it without going through Python.

optimizer = tapegrad.optim.Adam(network.parameters(), lr=5e-3)
schedule = tapegrad.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8000)


@tapegrad.compile
def step():
    x = tapegrad.rand(256, 1).requires_grad_()
    t = tapegrad.rand(256, 1).square().requires_grad_()
    optimizer.zero_grad()
    loss = residual(x, t).square().mean()
    loss.backward()
    optimizer.step()
    return loss


for _ in range(8000):
    loss = step()
    schedule.step()
print(f"mean squared residual: {loss.item():.1e}")

# %%
# The temperature over time and place; the difference from the exact one; and five moments.

x, t = np.meshgrid(np.linspace(0, 1, 101), np.linspace(0, 1, 121), indexing="ij")
points = [tapegrad.tensor(a.reshape(-1, 1), dtype=tapegrad.float32) for a in (x, t)]
with tapegrad.no_grad():
    learnt = temperature(*points).numpy().reshape(x.shape)
error = learnt - exact(x, t)
worst = np.abs(error).max()
print(f"largest error: {worst:.4f} of temperatures up to {exact(x, t).max():.2f}")

figure = plt.figure(figsize=(9, 6))
panels = figure.subplot_mosaic([["learnt", "error"], ["moments", "moments"]])
limits = {"learnt": {}, "error": {"vmin": -worst, "vmax": worst}}
colours = {"learnt": "inferno", "error": "PuOr"}
for name, values in [("learnt", learnt), ("error", error)]:
    image = panels[name].pcolormesh(
        t, x, values, cmap=colours[name], shading="gouraud", **limits[name]
    )
    figure.colorbar(image, ax=panels[name])
    panels[name].set(xlabel="time", ylabel="place")
panels["learnt"].set_title("temperature, learnt from the equation")
panels["error"].set_title("error")
for index, moment in enumerate([0, 6, 15, 36, 120]):
    colour = plt.cm.inferno(0.15 + index / 6)
    label = f"t = {t[0, moment]:g}"
    panels["moments"].plot(x[:, 0], learnt[:, moment], color=colour, linewidth=3, label=label)
    panels["moments"].plot(x[:, 0], exact(x, t)[:, moment], ":", color="black", linewidth=1.2)
panels["moments"].set(xlabel="place", ylabel="temperature", xlim=(0, 1))
panels["moments"].set_title("at five times (dotted: exact)")
panels["moments"].legend(frameon=False, loc="upper left")
plt.show()
