"""
Balancing a pole
================

A cart learns to keep a pole upright by pushing left or right, from nothing but how long it has
lasted. Sixty-four carts try at the same time, each step of all of them being one step of NumPy;
the policy is a small network, and its gradient is that of REINFORCE.
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
plt.style.use(["tableau-colorblind10", LOOK])
tapegrad.manual_seed(0)
rng = np.random.default_rng(0)

# %%
# The physics: a cart of 1 kg, a pole of 0.1 kg and 1 m, a push of 10 N, in steps of 20 ms. These
# are the constants of Barto, Sutton and Anderson (1983), which gymnasium's ``CartPole-v1`` has,
# too.

LIMIT, CARTS = 500, 64  # steps of an episode at most; carts at the same time


def move(state, push):
    """The next state of many carts: place, speed, angle, and its speed; and who has failed."""
    x, v, angle, w = state.T
    force = np.where(push, 10.0, -10.0)
    pull = (force + 0.05 * w**2 * np.sin(angle)) / 1.1
    turn = (9.8 * np.sin(angle) - np.cos(angle) * pull) / (
        0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1)
    )
    a = pull - 0.05 * turn * np.cos(angle) / 1.1
    state = np.stack([x + 0.02 * v, v + 0.02 * a, angle + 0.02 * w, w + 0.02 * turn], axis=1)
    return state, (np.abs(state[:, 0]) > 2.4) | (np.abs(state[:, 2]) > np.deg2rad(12))


# %%
# The policy gives the logit of a push to the right. Playing needs no gradients, and one compiled
# call serves all carts.

policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1), nn.Flatten(0))
SCALE = np.array([1.0, 1.0, 0.1, 1.0])


@tapegrad.compile
def chance(states):
    return policy(states).sigmoid()


def play(start=0.05, greedy=False):
    """Episodes of all carts: states, pushes, and which of them count, each (steps, CARTS, ...)."""
    state, alive = rng.uniform(-start, start, (CARTS, 4)), np.ones(CARTS, dtype=bool)
    states, pushes, lives = [], [], []
    while alive.any() and len(states) < LIMIT:
        seen = (state / SCALE).astype(np.float32)
        with tapegrad.no_grad():
            share = chance(tapegrad.from_numpy(seen)).numpy()
        push = share > (0.5 if greedy else rng.random(CARTS))
        states.append(seen)
        pushes.append(push)
        lives.append(alive)
        state, failed = move(state, push)
        alive = alive & ~failed
    return np.stack(states), np.stack(pushes), np.stack(lives)


# %%
# Each decision is made more likely by what came after it: the number of further steps, discounted,
# less the mean of all carts at that time. Episodes differ in length, so this step runs as it is.

optimizer = tapegrad.optim.Adam(policy.parameters(), lr=0.02)


def learn(states, pushes, lives):
    gain = np.zeros(lives.shape)
    rest = np.zeros(CARTS)
    for t in reversed(range(len(lives))):
        rest = lives[t] * (1 + 0.99 * rest)
        gain[t] = rest
    advantage = gain - gain.sum(1, keepdims=True) / lives.sum(1, keepdims=True)
    advantage = (advantage / (gain[lives].std() + 1e-6))[lives]
    optimizer.zero_grad()
    logits = policy(tapegrad.from_numpy(states[lives]))
    targets = tapegrad.tensor(pushes[lives], dtype=tapegrad.float32)
    weights = tapegrad.tensor(advantage, dtype=tapegrad.float32)
    loss = nn.functional.binary_cross_entropy_with_logits(logits, targets, weights)
    loss.backward()
    optimizer.step()


before = play(start=0.15)
lengths = []
for _round in range(60):
    episodes = play()
    lengths.append(episodes[2].sum(axis=0))
    learn(*episodes)
lengths = np.array(lengths)  # (rounds, CARTS)
after = play(start=0.15, greedy=True)
balanced = after[2].sum(axis=0).mean()
print(
    f"steps before the pole falls: {lengths[0].mean():.0f} at first, {balanced:.0f} of 500 at last"
)

# %%
# On the right, the angles of all poles over the first two seconds, from starts three times as far
# from upright as those of the training. Before training all of them fall.

figure = plt.figure(figsize=(10, 4.6))
layout = [["rounds", "before"], ["rounds", "after"]]
panels = figure.subplot_mosaic(layout, width_ratios=[1.15, 1])
axes = panels["rounds"]
for low, high, opacity in [(0, 100, 0.15), (25, 75, 0.3)]:
    band = np.percentile(lengths, [low, high], axis=1)
    axes.fill_between(range(len(lengths)), *band, color="C0", alpha=opacity, linewidth=0)
axes.plot(np.median(lengths, axis=1), color="C0", linewidth=2.5)
axes.set(xlabel="round of 64 episodes", ylabel="steps", xlim=(0, len(lengths) - 1), ylim=(0, 510))
axes.set_title("how long the poles stay up (median, quartiles, range)")
for name, (states, _, lives), colour in [("before", before, "C1"), ("after", after, "C0")]:
    axes = panels[name]
    angles = np.where(lives, np.rad2deg(states[..., 2] * SCALE[2]), np.nan)
    falls = lives.sum(axis=0) - 1
    axes.plot(0.02 * np.arange(len(angles)), angles, color=colour, linewidth=0.9, alpha=0.6)
    fallen = np.flatnonzero(falls < LIMIT - 1)
    axes.scatter(0.02 * falls[fallen], angles[falls[fallen], fallen], color=colour, s=14, zorder=3)
    axes.axhline(0, color="0.3", linewidth=0.8)
    axes.set(xlim=(0, 2), ylim=(-13, 13), ylabel="angle (degrees)")
    axes.set_title(f"{name} training: {lives.sum(axis=0).mean():.0f} steps on average")
panels["after"].set_xlabel("seconds")
plt.show()
