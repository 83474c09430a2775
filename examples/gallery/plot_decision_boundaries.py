"""
Decision boundaries
===================

The same data, seen by four networks that differ in their activation only, and by one that has
none. Each activation leaves its hand in the picture: a ReLU draws straight edges, tanh rounds
them, a sine makes waves where no data hold it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_circles, make_moons

import tapegrad
from tapegrad import nn

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
# Three sets of points in two classes: moons, rings and a pair of spirals.


def make_spirals(count, seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, count)
    turn = np.sqrt(rng.uniform(0.02, 1, count))
    angle = 2.6 * np.pi * turn + np.pi * label
    points = turn[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return points + rng.normal(0, 0.04, points.shape), label


data_sets = {
    "moons": make_moons(300, noise=0.22, random_state=0),
    "rings": make_circles(300, noise=0.16, factor=0.45, random_state=0),
    "spirals": make_spirals(300, seed=0),
}

# %%
# A module is a class with a ``forward``; what has no parameters can be as short as this one.


class Sine(nn.Module):
    def forward(self, x):
        return tapegrad.sin(2 * x)


activations = {"none": nn.Identity, "ReLU": nn.ReLU, "tanh": nn.Tanh, "GELU": nn.GELU, "sine": Sine}


def train(points, labels, activation):
    """A network with two hidden layers, after 600 steps on all points."""
    model = nn.Sequential(
        nn.Linear(2, 32), activation(), nn.Linear(32, 32), activation(), nn.Linear(32, 1)
    )
    optimizer = tapegrad.optim.AdamW(model.parameters(), lr=0.005, weight_decay=1.0)

    @tapegrad.compile
    def step():
        optimizer.zero_grad()
        logits = model(points).squeeze(1)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
        loss.backward()
        optimizer.step()

    for _ in range(600):
        step()
    return model


# %%
# Fifteen trainings, and what each network thinks of every point of the plane. The dark line is
# where it is undecided.

axis = np.linspace(-1.6, 1.6, 121, dtype=np.float32)
plane = tapegrad.from_numpy(np.stack(np.meshgrid(axis, axis), axis=-1))  # (121, 121, 2)

accuracies = {}
figure, rows = plt.subplots(3, 5, figsize=(10, 6.4), sharex=True, sharey=True)
for row, (data, (points, labels)) in zip(rows, data_sets.items()):
    points = (points - points.mean(0)) / points.std(0) * 0.65
    x = tapegrad.tensor(points, dtype=tapegrad.float32)
    y = tapegrad.tensor(labels, dtype=tapegrad.float32)
    for axes, (name, activation) in zip(row, activations.items()):
        model = train(x, y, activation)
        with tapegrad.no_grad():
            share = model(plane).squeeze(2).sigmoid().numpy()
            accuracy = ((model(x).squeeze(1) > 0) == (y > 0.5)).float().mean().item()
        accuracies[data, name] = accuracy
        axes.contourf(axis, axis, share, levels=21, cmap="PuOr", vmin=-0.7, vmax=1.7)
        axes.contour(axis, axis, share, levels=[0.5], colors="0.15", linewidths=1.2)
        for label, colour in enumerate(["#b35806", "#542788"]):
            chosen = points[labels == label]
            axes.scatter(*chosen.T, s=11, color=colour, edgecolor="white", linewidth=0.5)
        axes.text(1.5, -1.5, f"{accuracy:.0%}", ha="right", fontsize=9)
        axes.set(xticks=[], yticks=[], aspect="equal")
        axes.spines[:].set_visible(False)
    row[0].set_ylabel(data)
for axes, name in zip(rows[0], activations):
    axes.set_title(name, loc="center")
plt.show()
