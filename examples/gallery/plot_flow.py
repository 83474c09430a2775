"""
A flow into two moons
=====================

A normalising flow bends the plane, step by step and without folding it, until a bell curve has
become two moons. Because each bend can be undone and its stretching is known, the flow gives what
few generative models do: the density at every point, as a number.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

import tapegrad
from tapegrad import nn
from tapegrad.distributions import Normal

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
# A coupling (Dinh, Sohl-Dickstein and Bengio, 2017) leaves one coordinate alone, and shifts and
# stretches the other by amounts that a network computes from the first. However wild the network
# is, this can be undone, and the logarithm of the stretching is known.


class Coupling(nn.Module):
    def __init__(self, kept):
        super().__init__()
        self.kept = kept
        self.network = nn.Sequential(
            nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 2)
        )

    def amounts(self, x):
        kept, moved = x[:, self.kept], x[:, 1 - self.kept]
        stretch, shift = self.network(kept.unsqueeze(1)).unbind(1)
        return kept, moved, 1.5 * stretch.tanh(), shift  # stretched by a factor of 4.5 at most

    def join(self, kept, moved):
        return tapegrad.stack([kept, moved] if self.kept == 0 else [moved, kept], dim=1)

    def forward(self, x):  # from the data towards the bell curve
        kept, moved, stretch, shift = self.amounts(x)
        return self.join(kept, (moved - shift) * (-stretch).exp()), -stretch

    def inverse(self, z):
        kept, moved, stretch, shift = self.amounts(z)
        return self.join(kept, moved * stretch.exp() + shift)


class Flow(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.couplings = nn.ModuleList([Coupling(i % 2) for i in range(depth)])

    def log_prob(self, x):
        total = 0
        for coupling in self.couplings:
            x, log_stretch = coupling(x)
            total = total + log_stretch
        return total + Normal(0.0, 1.0).log_prob(x).sum(dim=1)

    def inverse(self, z, couplings=None):
        for coupling in list(self.couplings)[::-1][:couplings]:
            z = coupling.inverse(z)
        return z


# %%
# Training maximises the mean log-density of the data. Each step draws a batch of them.

points, _ = make_moons(20_000, noise=0.07, random_state=0)
points = tapegrad.tensor((points - points.mean(0)) / points.std(0), dtype=tapegrad.float32)
train, test = points[:16_000], points[16_000:]

flow = Flow(8)
optimizer = tapegrad.optim.Adam(flow.parameters(), lr=3e-3)
schedule = tapegrad.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2000)


@tapegrad.compile
def step(batch):
    optimizer.zero_grad()
    loss = -flow.log_prob(batch).mean()
    loss.backward()
    nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
    optimizer.step()
    return loss


for _ in range(2000):
    step(train[tapegrad.randint(len(train), (256,))])
    schedule.step()

with tapegrad.no_grad():
    nats = flow.log_prob(test).mean().item()
print(f"mean log-density of points that it has not seen: {nats:.2f} (a bell curve has -2.84)")

# %%
# Points of the bell curve on their way, coloured from left to right where they begin, and the
# density that the flow gives.

z = tapegrad.randn(6000, 2)
axis = tapegrad.linspace(-2.4, 2.4, 240)
plane = tapegrad.cartesian_prod(axis, axis)
with tapegrad.no_grad():
    stages = [flow.inverse(z, n).numpy() for n in (0, 2, 4, 6, 8)]
    density = flow.log_prob(plane).exp().numpy().reshape(240, 240).T

figure, panels = plt.subplots(2, 3, figsize=(9, 6.4))
titles = ["a bell curve", "two bends", "four", "six", "all eight"]
for axes, stage, title in zip(panels.flat, stages, titles):
    axes.scatter(*stage.T, c=z[:, 0], cmap="plasma", vmin=-2.5, vmax=3, s=4, linewidth=0)
    axes.set_title(title, loc="center")
    low, high = np.quantile(stage, [0.005, 0.995], axis=0)
    reach = (high - low).max() * 0.55
    axes.set(xlim=(low + high)[0] / 2 + [-reach, reach], ylim=(low + high)[1] / 2 + [-reach, reach])
panels[1, 2].imshow(density, extent=[-2.4, 2.4, -2.4, 2.4], origin="lower", cmap="magma")
panels[1, 2].set_title("its density", loc="center")
for axes in panels.flat:
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
plt.show()
