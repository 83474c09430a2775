"""A pole on a cart, which is pushed to the left or to the right."""

import numpy as np


class Cart:
    """States are (place, speed, angle, angular speed); each step that the pole stands gives 1."""

    def __init__(self, seed, limit=100):
        self.generator = np.random.default_rng(seed)
        self.limit = limit

    def reset(self):
        self.state = self.generator.uniform(-0.05, 0.05, 4)
        self.steps = 0
        return self.state.copy()

    def step(self, action):
        _, speed, angle, turn = self.state
        push = 10.0 if action == 1 else -10.0
        sine, cosine = np.sin(angle), np.cos(angle)
        common = (push + 0.05 * turn**2 * sine) / 1.1
        spin = (9.8 * sine - cosine * common) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
        pull = common - 0.05 * spin * cosine / 1.1
        self.state = self.state + 0.02 * np.array([speed, pull, turn, spin])
        self.steps += 1
        fallen = bool(abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.21)
        return self.state.copy(), 1.0, fallen, self.steps >= self.limit
