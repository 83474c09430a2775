"""
A GAN on a ring
===============

A generator makes points from noise, a critic tells them from the data, and each learns from the
other. The data are eight small heaps on a ring. The colours show what the critic thinks: where
purple is, it takes points for real, where orange is, for made. At last it cannot tell them apart
on the heaps.
"""

import matplotlib.pyplot as plt
import numpy as np

import tapegrad
from tapegrad import nn
from tapegrad.autograd import grad
from tapegrad.nn.functional import softplus

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
# The heaps, and the two networks.

BATCH, SPREAD = 256, 0.06
angles = tapegrad.arange(8) * (2 * np.pi / 8)
centres = tapegrad.stack([angles.cos(), angles.sin()], dim=1)


def data(count):
    return centres[tapegrad.randint(8, (count,))] + SPREAD * tapegrad.randn(count, 2)


def make_network(inputs, outputs):
    return nn.Sequential(
        nn.Linear(inputs, 96),
        nn.LeakyReLU(0.2),
        nn.Linear(96, 96),
        nn.LeakyReLU(0.2),
        nn.Linear(96, outputs),
    )


generator, critic = make_network(4, 2), make_network(2, 1)
optimizer_g = tapegrad.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.99))
optimizer_c = tapegrad.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.99))
schedules = [
    tapegrad.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6000)
    for optimizer in (optimizer_g, optimizer_c)
]

# %%
# Both steps in one compiled function. The critic's outputs are logits: large for data, small for
# what was made. A penalty, the squared norm of its gradient at the data (Mescheder, Geiger and
# Nowozin, 2018), keeps it from becoming steep; to learn from it takes second derivatives.


@tapegrad.compile
def step():
    real = data(BATCH).requires_grad_()
    made = generator(tapegrad.randn(BATCH, 4))
    answers = critic(real)
    (slopes,) = grad(answers.sum(), real, create_graph=True)
    penalty = slopes.square().sum(dim=1).mean()
    loss = softplus(-answers).mean() + softplus(critic(made.detach())).mean() + 0.01 * penalty
    optimizer_c.zero_grad()
    loss.backward()
    optimizer_c.step()

    optimizer_g.zero_grad()
    softplus(-critic(made)).mean().backward()
    optimizer_g.step()


# %%
# What the generator makes of the same noise, and what the critic thinks of the plane, is kept at
# six moments.

SNAPSHOTS = [0, 100, 250, 500, 1500, 6000]
noise = tapegrad.randn(4000, 4)
axis = tapegrad.linspace(-1.5, 1.5, 120)
plane = tapegrad.cartesian_prod(axis, axis)
snapshots = []
for count in range(SNAPSHOTS[-1] + 1):
    if count in SNAPSHOTS:
        with tapegrad.no_grad():
            opinion = critic(plane).sigmoid().numpy().reshape(120, 120).T
            snapshots.append((generator(noise).numpy(), opinion))
    step()
    for schedule in schedules:
        schedule.step()

# %%
# How many of the points are within three standard deviations of a heap, and how they are shared
# among the heaps. Some are always in between: the generator is continuous, so it cannot tear its
# noise apart.

points = snapshots[-1][0]
distance = np.linalg.norm(points[:, None] - centres.numpy(), axis=2)
nearest = distance.argmin(axis=1)[distance.min(axis=1) < 3 * SPREAD]
on_heaps = len(nearest) / len(points)
shares = np.bincount(nearest, minlength=8) / len(nearest)
print(f"{on_heaps:.0%} of the points lie on a heap; the heaps have", (shares * 100).round(), "%")

figure, panels = plt.subplots(2, 3, figsize=(9, 6.4))
for axes, count, (points, opinion) in zip(panels.flat, SNAPSHOTS, snapshots):
    axes.contourf(axis, axis, opinion, levels=np.linspace(0, 1, 25), cmap="PuOr", alpha=0.8)
    axes.scatter(*points[:1500].T, s=3, color="0.1", linewidth=0, alpha=0.6)
    axes.scatter(*centres.numpy().T, s=260, facecolor="none", edgecolor="C5", linewidth=1.2)
    axes.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal", xticks=[], yticks=[])
    axes.set_title(f"after {count:,} steps" if count else "before", loc="center")
    axes.spines[:].set_visible(False)
plt.show()
