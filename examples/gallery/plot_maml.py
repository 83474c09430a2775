"""
Learning to learn sines
=======================

A network is to fit any sine from ten points, in a few steps of gradient descent. MAML (Finn,
Abbeel and Levine, 2017) looks for first weights from which this goes well: it differentiates
through the steps. A network that was trained on all sines in the usual way has learnt their mean,
which is of little help.
"""

import matplotlib.pyplot as plt
import numpy as np

import tapegrad
from tapegrad import nn
from tapegrad.func import functional_call, grad, vmap

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
# A task is a sine of some amplitude and phase, ten points to learn from, and ten to be judged by.

TASKS, POINTS, RATE = 32, 10, 0.03


def draw_tasks():
    amplitude = 0.5 + 2.5 * tapegrad.rand(TASKS, 1, 1)
    phase = np.pi * tapegrad.rand(TASKS, 1, 1)
    x = 10 * tapegrad.rand(TASKS, 2 * POINTS, 1) - 5
    y = amplitude * tapegrad.sin(x + phase)
    return x[:, :POINTS], y[:, :POINTS], x[:, POINTS:], y[:, POINTS:]


network = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))


def loss_of(params, x, y):
    return (functional_call(network, params, (x,)) - y).square().mean()


def adapt(params, x, y, steps=1):
    """The parameters after some steps of gradient descent. Another grad can go through them."""
    for _ in range(steps):
        slopes = grad(loss_of)(params, x, y)
        params = {name: p - RATE * slopes[name] for name, p in params.items()}
    return params


# %%
# The loss of MAML is that *after* the step, on other points of the same sine. All tasks of a batch
# are done at once by ``vmap``, and the whole of it, second derivatives included, is recorded and
# replayed.


def loss_after_learning(params, x, y, new_x, new_y):
    return loss_of(adapt(params, x, y), new_x, new_y)


def train(loss_of_task, rounds=4000):
    params = {name: p.detach().clone().requires_grad_() for name, p in first.items()}
    optimizer = tapegrad.optim.Adam(params.values(), lr=2e-3)
    schedule = tapegrad.optim.lr_scheduler.CosineAnnealingLR(optimizer, rounds)

    @tapegrad.compile
    def step():
        optimizer.zero_grad()
        tasks = draw_tasks()
        loss = vmap(loss_of_task, in_dims=(None, 0, 0, 0, 0))(params, *tasks).mean()
        loss.backward()
        optimizer.step()

    for _ in range(rounds):
        step()
        schedule.step()
    return {name: p.detach() for name, p in params.items()}


first = dict(network.named_parameters())
usual = train(lambda params, x, y, new_x, new_y: loss_of(params, x, y))
maml = train(loss_after_learning)

# %%
# Sines that are new to both, and the error on them after no, one, and up to ten steps.

x, y, new_x, new_y = draw_tasks()
widest = y.abs().amax(dim=(1, 2)).argmax().item()  # the one to draw


def errors(params):
    def of_task(x, y, new_x, new_y):
        return tapegrad.stack([loss_of(adapt(params, x, y, n), new_x, new_y) for n in range(11)])

    return vmap(of_task)(x, y, new_x, new_y).mean(dim=0).detach().numpy()


error_usual, error_maml = errors(usual), errors(maml)
print(f"error after five steps: {error_maml[5]:.3f} from MAML, {error_usual[5]:.3f} otherwise")

line = tapegrad.linspace(-5, 5, 200).unsqueeze(1)
figure = plt.figure(figsize=(9, 5.5))
panels = figure.subplot_mosaic([["maml", "errors"], ["usual", "errors"]], width_ratios=[1.5, 1])
for name, params in [("maml", maml), ("usual", usual)]:
    axes = panels[name]
    for steps, colour in [(0, "0.8"), (1, "C7"), (5, "C0")]:
        learnt = functional_call(network, adapt(params, x[widest], y[widest], steps), (line,))
        label = ["no step", "one step", None, None, None, "five steps"][steps]
        axes.plot(line, learnt.detach(), color=colour, linewidth=2.5, label=label)
    axes.scatter(x[widest], y[widest], color="C1", s=40, zorder=3, label="ten points")
    axes.scatter(new_x[widest], new_y[widest], color="0.3", s=12, zorder=3, label="other points")
    axes.set(ylim=(-3.8, 3.8), xlim=(-5.2, 5.2))
panels["maml"].set_title("a new sine, from MAML's weights")
panels["usual"].set_title("from the usual weights")
for error, colour, label in [(error_usual, "0.5", "usual weights"), (error_maml, "C0", "MAML")]:
    panels["errors"].plot(error, "o-", color=colour, linewidth=2, label=label)
    panels["errors"].annotate(label, (10, error[5] * 1.15), color=colour, ha="right", weight="bold")
panels["errors"].set(yscale="log", xlabel="steps of gradient descent")
panels["errors"].set_title("error on 32 new sines")
panels["usual"].legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.1))
plt.show()
