"""Proximal policy optimisation: clipped ratios, advantages over several carts at once."""

import numpy as np
import torch
import torch.nn as nn
from drawn import choice, generator, normal
from environment import Cart
from torch.distributions.categorical import Categorical

torch.set_default_dtype(torch.float64)
ENVS, STEPS, EPOCHS, MINIBATCH = 4, 32, 3, 32
GAMMA, LAMBDA, CLIP = 0.99, 0.95, 0.2


def layer_init(layer, std=2**0.5, bias_const=0.0):
    q, _ = torch.linalg.qr(normal(max(layer.weight.shape), min(layer.weight.shape)))
    with torch.no_grad():
        layer.weight.copy_(std * (q if q.shape == layer.weight.shape else q.T))
    torch.nn.init.constant_(layer.bias, bias_const)
    return layer


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.critic = nn.Sequential(
            layer_init(nn.Linear(4, 32)), nn.Tanh(), layer_init(nn.Linear(32, 1), std=1.0)
        )
        self.actor = nn.Sequential(
            layer_init(nn.Linear(4, 32)), nn.Tanh(), layer_init(nn.Linear(32, 2), std=0.01)
        )

    def get_value(self, x):
        return self.critic(x)

    def get_action_and_value(self, x, action=None):
        probs = Categorical(logits=self.actor(x))
        if action is None:
            action = torch.tensor([choice(p) for p in probs.probs])
        return action, probs.log_prob(action), probs.entropy(), self.critic(x)


agent = Agent()
optimizer = torch.optim.Adam(agent.parameters(), lr=2.5e-3, eps=1e-5)
carts = [Cart(seed) for seed in range(ENVS)]
obs = torch.zeros((STEPS, ENVS, 4))
actions, logprobs, rewards, dones, values = (torch.zeros((STEPS, ENVS)) for _ in range(5))
next_obs = torch.tensor(np.stack([cart.reset() for cart in carts]))
next_done = torch.zeros(ENVS)
lengths = []

for iteration in range(8):
    optimizer.param_groups[0]["lr"] = (1.0 - iteration / 8) * 2.5e-3
    for step in range(STEPS):
        obs[step], dones[step] = next_obs, next_done
        with torch.no_grad():
            action, logprob, _, value = agent.get_action_and_value(next_obs)
            values[step] = value.flatten()
        actions[step], logprobs[step] = action, logprob
        for i, (cart, chosen) in enumerate(zip(carts, action.cpu().numpy(), strict=True)):
            state, reward, fallen, late = cart.step(chosen)
            rewards[step, i] = reward
            next_done[i] = float(fallen or late)
            if fallen or late:
                lengths.append(cart.steps)
                state = cart.reset()
            next_obs[i] = torch.as_tensor(state)

    with torch.no_grad():  # generalised advantages, from the end to the start
        next_value = agent.get_value(next_obs).reshape(1, -1)
        advantages = torch.zeros_like(rewards)
        last = 0
        for t in reversed(range(STEPS)):
            alive = 1.0 - (next_done if t == STEPS - 1 else dones[t + 1])
            ahead = next_value if t == STEPS - 1 else values[t + 1]
            delta = rewards[t] + GAMMA * ahead * alive - values[t]
            advantages[t] = last = delta + GAMMA * LAMBDA * alive * last
        returns = advantages + values

    b_obs, b_actions = obs.reshape((-1, 4)), actions.reshape(-1)
    b_logprobs, b_values = logprobs.reshape(-1), values.reshape(-1)
    b_advantages, b_returns = advantages.reshape(-1), returns.reshape(-1)
    order, clipfracs = np.arange(ENVS * STEPS), []
    for _ in range(EPOCHS):
        generator.shuffle(order)
        for start in range(0, len(order), MINIBATCH):
            mb = order[start : start + MINIBATCH]
            _, newlogprob, entropy, newvalue = agent.get_action_and_value(
                b_obs[mb], b_actions.long()[mb]
            )
            logratio = newlogprob - b_logprobs[mb]
            ratio = logratio.exp()
            with torch.no_grad():
                approx_kl = ((ratio - 1) - logratio).mean()
                clipfracs += [((ratio - 1.0).abs() > CLIP).float().mean().item()]
            adv = b_advantages[mb]
            adv = (adv - adv.mean()) / (adv.std() + 1e-8)
            pg_loss = torch.max(-adv * ratio, -adv * torch.clamp(ratio, 1 - CLIP, 1 + CLIP)).mean()
            newvalue = newvalue.view(-1)
            v_clipped = b_values[mb] + torch.clamp(newvalue - b_values[mb], -CLIP, CLIP)
            v_loss = torch.max((newvalue - b_returns[mb]) ** 2, (v_clipped - b_returns[mb]) ** 2)
            loss = pg_loss - 0.01 * entropy.mean() + 0.5 * 0.5 * v_loss.mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()

    y_pred, y_true = b_values.cpu().numpy(), b_returns.cpu().numpy()
    explained = 1 - np.var(y_true - y_pred) / np.var(y_true)
    print(f"iteration {iteration} loss {loss.item():.5f} kl {approx_kl.item():.5f}", end=" ")
    print(f"clipped {np.mean(clipfracs):.4f} explained {explained:.4f}", end=" ")
    print(f"length {np.mean(lengths[-10:]):.2f}")
