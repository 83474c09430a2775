"""
Optimisers racing over a surface
================================

A landscape with four valleys, all equally deep. Four optimisers start at the same place, near the
hilltop in the middle, and do not only differ in speed: they end in different valleys. The maps on
the right show where each ends from 57,600 other places.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

import tapegrad
from tapegrad import optim

LOOK = {
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
}
plt.style.use(["tableau-colorblind10", LOOK])

# %%
# Himmelblau's function has four zeros, and a maximum near (-0.27, -0.92).

VALLEYS = np.array([[3.0, 2.0], [-2.805, 3.131], [-3.779, -3.283], [3.584, -1.848]])
VALLEY_COLOURS = ["#5F9ED1", "#FFBC79", "#898989", "#C85200"]


def height(x, y):
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


racers = {
    "SGD": (lambda p: optim.SGD(p, lr=0.003), "0.1"),
    "momentum": (lambda p: optim.SGD(p, lr=0.006, momentum=0.9), "C0"),
    "RMSprop": (lambda p: optim.RMSprop(p, lr=0.1), "C4"),
    "Adam": (lambda p: optim.Adam(p, lr=0.4), "C1"),
}

# %%
# These optimisers treat each number by itself. So a tensor of many places is as many races at once:
# the gradient of the sum of all heights has the gradients of all of them.


def race(make_optimizer, starts, steps=250):
    """The places after each step, as (steps + 1, races, 2)."""
    places = tapegrad.tensor(starts, dtype=tapegrad.float32, requires_grad=True)
    optimizer = make_optimizer([places])

    @tapegrad.compile
    def step():
        optimizer.zero_grad()
        height(places[:, 0], places[:, 1]).sum().backward()
        optimizer.step()

    path = [places.numpy(force=True).copy()]
    for _ in range(steps):
        step()
        path.append(places.numpy(force=True).copy())
    return np.array(path)


def valley_of(places):
    return np.linalg.norm(places[:, None] - VALLEYS, axis=2).argmin(axis=1)


# %%
# One start for the tracks, and a grid of 240 x 240 for the maps. Each valley has a colour in the
# maps, which is paler where it took longer to get close to the star.

START = (-0.2, 0.7)
axis = np.linspace(-5, 5, 240)
grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)

figure = plt.figure(figsize=(10, 5))
layout = [["race", "SGD", "momentum"], ["race", "RMSprop", "Adam"]]
panels = figure.subplot_mosaic(layout, width_ratios=[2.05, 1, 1])
x, y = grid.reshape(240, 240, 2).transpose(2, 0, 1)
levels = np.geomspace(1, 900, 16) - 1
panels["race"].contourf(x, y, height(x, y), levels=levels, cmap="Greys", alpha=0.6, extend="max")
ends = {}
for name, (make_optimizer, colour) in racers.items():
    track = race(make_optimizer, [START])[:, 0]
    ends[name] = valley_of(track[-1:])[0]
    panels["race"].plot(*track.T, ".-", color=colour, linewidth=2, markersize=6, label=name)

    paths = race(make_optimizer, grid, steps=120)
    valleys = valley_of(paths[-1])
    arrived = np.linalg.norm(paths - VALLEYS[valleys], axis=2) < 0.1
    duration = np.where(arrived.any(axis=0), arrived.argmax(axis=0), len(arrived)) / len(arrived)
    colours = np.array([to_rgb(colour) for colour in VALLEY_COLOURS])[valleys]
    image = 1 - (1 - colours) * (1 - 0.8 * duration[:, None])
    panels[name].imshow(image.reshape(240, 240, 3), origin="lower", extent=[-5, 5, -5, 5])
    panels[name].set_title(name, loc="center")
panels["race"].plot(*START, "o", color="black", markersize=9, zorder=3)
panels["race"].set_title("the race", loc="center")
panels["race"].legend(frameon=False, loc="lower center")
for axes in panels.values():
    axes.set(xlim=(-5, 5), ylim=(-5, 5), xticks=[], yticks=[], aspect="equal")
    axes.scatter(*VALLEYS.T, marker="*", color="black", s=60, zorder=3)
    axes.spines[:].set_visible(False)
plt.show()
