"""
A neural differential equation
==============================

Hares and lynxes are counted, with errors, for two and a half of their cycles. A network learns
how fast both numbers change, as a function of the numbers alone, by following its own solution
from the first count to the last and back through every step of the solver. It then goes on where
the data end.
"""

import matplotlib.pyplot as plt
import numpy as np

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
# A step of the classical Runge-Kutta method, for any right-hand side. It is used for the truth,
# which nobody knows in the field, and for the network.


def runge_kutta(rate, state, dt):
    k1 = rate(state)
    k2 = rate(state + dt / 2 * k1)
    k3 = rate(state + dt / 2 * k2)
    k4 = rate(state + dt * k3)
    return state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def solve(rate, state, steps, dt):
    states = [state]
    for _ in range(steps):
        states.append(runge_kutta(rate, states[-1], dt))
    return tapegrad.stack(states)


def predator_prey(state):
    hares, lynxes = state.unbind(-1)
    return tapegrad.stack([hares * (1.1 - lynxes), lynxes * (hares - 0.9)], dim=-1)


# %%
# The numbers are always positive and differ by factors, so everything is done with their
# logarithms. Seventy-five counts, a fifth of a unit of time apart, off by some 5 %.

DT, COUNTS = 0.2, 75
truth = solve(predator_prey, tapegrad.tensor([0.5, 0.6]), 150, DT).log()
counts = truth[: COUNTS + 1] + 0.05 * tapegrad.randn(COUNTS + 1, 2)

network = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2))

# %%
# A solution over seventy-five steps from a network that knows nothing goes anywhere. So the data
# are first cut into pieces of twelve steps that overlap, which are solved at once, as a batch; then
# all of it is taken as one piece. Counts are uncertain, so where each piece begins is learnt, too.


def fit(span, rounds, lr):
    pieces = counts.unfold(0, span + 1, 4).movedim(-1, 0)  # (span + 1, pieces, 2)
    begin = pieces[0].clone().requires_grad_()
    optimizer = tapegrad.optim.Adam([begin, *network.parameters()], lr=lr)
    schedule = tapegrad.optim.lr_scheduler.CosineAnnealingLR(optimizer, rounds)

    @tapegrad.compile
    def step():
        optimizer.zero_grad()
        loss = (solve(network, begin, span, DT) - pieces).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(rounds):
        loss = step()
        schedule.step()
    print(f"{span} steps: an error of {loss.item() ** 0.5:.3f}, of counts that are off by 0.05")
    return begin.detach()[0]


fit(span=12, rounds=1500, lr=5e-3)
begin = fit(span=COUNTS, rounds=1500, lr=2e-3)

# %%
# From where it begins to twice the span of the data.

with tapegrad.no_grad():
    learnt = solve(network, begin, 150, DT)
    axis = tapegrad.linspace(-2.1, 1.4, 25)
    plane = tapegrad.stack(tapegrad.meshgrid(axis, axis, indexing="xy"), dim=-1)
    rates = network(plane).numpy()
error = (learnt - truth).abs().mean().item()
print(f"mean error of the logarithms, to the end: {error:.3f}")

time = DT * np.arange(151)
names, colours = ["hares", "lynxes"], ["C0", "C1"]
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), width_ratios=[1.7, 1])
left.axvspan(0, DT * COUNTS, color="0.95", linewidth=0)
for i, (name, colour) in enumerate(zip(names, colours)):
    left.plot(time, truth[:, i].exp(), color="0.2", linewidth=1, linestyle=(0, (4, 2)))
    left.plot(time, learnt[:, i].exp(), color=colour, linewidth=2.2, alpha=0.85, label=name)
    left.scatter(time[: COUNTS + 1], counts[:, i].exp(), s=12, color=colour, zorder=3)
left.set(xlabel="time", ylabel="numbers", xlim=(0, time[-1]), ylim=(0, None))
left.set_title("counted, then foretold (dashed: truth)")
left.legend(frameon=False, loc="upper right", ncols=2)

x, y = plane.unbind(-1)
speed = np.linalg.norm(rates, axis=-1)
right.streamplot(
    x.numpy(), y.numpy(), *np.moveaxis(rates, -1, 0), color=speed, cmap="Greys", linewidth=0.9
)
right.plot(*learnt.T, color="C0", linewidth=2.2)
right.scatter(*counts.T, s=12, color="C1", zorder=3)
right.set(xlabel="log of hares", ylabel="log of lynxes", aspect="equal")
right.set_title("the learnt field")
plt.show()
