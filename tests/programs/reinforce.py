"""A policy gradient: actions that were followed by more reward than usual become likelier."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from drawn import choice, initialise
from environment import Cart
from torch.distributions import Categorical

torch.set_default_dtype(torch.float64)


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(4, 32)
        self.affine2 = nn.Linear(32, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        return F.softmax(self.affine2(F.relu(self.affine1(x))), dim=1)


policy = Policy()
initialise(policy)
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
eps = torch.finfo(torch.float32).eps
env = Cart(seed=1)


def select_action(state):
    probs = policy(torch.from_numpy(state).double().unsqueeze(0))
    m = Categorical(probs)
    action = torch.tensor([choice(probs[0])])
    policy.saved_log_probs.append(m.log_prob(action))
    return action.item(), m.entropy().item()


def finish_episode(gamma=0.99):
    R, returns = 0.0, []
    for r in policy.rewards[::-1]:
        R = r + gamma * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + eps)
    losses = [-log_prob * R for log_prob, R in zip(policy.saved_log_probs, returns, strict=True)]
    optimizer.zero_grad()
    loss = torch.cat(losses).sum()
    loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved_log_probs[:]
    return loss.item()


running = 10.0
for episode in range(40):
    state, total = env.reset(), 0.0
    done = False
    while not done:
        action, entropy = select_action(state)
        state, reward, fallen, late = env.step(action)
        done = fallen or late
        policy.rewards.append(reward)
        total += reward
    running = 0.05 * total + 0.95 * running
    loss = finish_episode()
    if episode % 8 == 7:
        print(f"episode {episode} last {total:.0f} average {running:.3f} loss {loss:.5f}", end=" ")
        print(f"entropy {entropy:.5f}")
