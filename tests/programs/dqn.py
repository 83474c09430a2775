"""Deep Q-learning with a memory of transitions and a target network that follows slowly."""

import math
from collections import deque, namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F
from drawn import generator, initialise
from environment import Cart

torch.set_default_dtype(torch.float64)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
Transition = namedtuple("Transition", ("state", "action", "next_state", "reward"))
BATCH, GAMMA, TAU = 32, 0.99, 0.01


class ReplayMemory:
    def __init__(self, capacity):
        self.memory = deque(maxlen=capacity)

    def push(self, *args):
        self.memory.append(Transition(*args))

    def sample(self, batch_size):
        places = generator.choice(len(self.memory), batch_size, replace=False)
        return [self.memory[i] for i in places]

    def __len__(self):
        return len(self.memory)


class DQN(nn.Module):
    def __init__(self, n_observations, n_actions):
        super().__init__()
        self.layer1 = nn.Linear(n_observations, 32)
        self.layer2 = nn.Linear(32, 32)
        self.layer3 = nn.Linear(32, n_actions)

    def forward(self, x):
        x = F.relu(self.layer1(x))
        x = F.relu(self.layer2(x))
        return self.layer3(x)


env = Cart(seed=3)
policy_net = DQN(4, 2).to(device)
target_net = DQN(4, 2).to(device)
initialise(policy_net)
print(target_net.load_state_dict(policy_net.state_dict()))
optimizer = torch.optim.AdamW(policy_net.parameters(), lr=3e-3, amsgrad=True)
memory = ReplayMemory(500)
steps_done = 0


def select_action(state):
    global steps_done
    eps = 0.05 + 0.85 * math.exp(-1.0 * steps_done / 150)
    steps_done += 1
    if generator.random() > eps:
        with torch.no_grad():
            return policy_net(state).max(1).indices.view(1, 1)
    return torch.tensor([[generator.integers(2)]], device=device, dtype=torch.long)


def optimize_model():
    if len(memory) < BATCH:
        return float("nan")
    batch = Transition(*zip(*memory.sample(BATCH), strict=True))
    non_final = torch.tensor([s is not None for s in batch.next_state], dtype=torch.bool)
    non_final_next_states = torch.cat([s for s in batch.next_state if s is not None])
    state_batch, action_batch = torch.cat(batch.state), torch.cat(batch.action)
    reward_batch = torch.cat(batch.reward)
    q_values = policy_net(state_batch).gather(1, action_batch)
    next_values = torch.zeros(BATCH, device=device)
    with torch.no_grad():
        next_values[non_final] = target_net(non_final_next_states).max(1).values
    expected = next_values * GAMMA + reward_batch
    loss = nn.SmoothL1Loss()(q_values, expected.unsqueeze(1))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(policy_net.parameters(), 100)
    optimizer.step()
    return loss.item()


for episode in range(30):
    state = torch.tensor(env.reset(), device=device).unsqueeze(0)
    done = False
    while not done:
        action = select_action(state)
        observation, reward, terminated, truncated = env.step(action.item())
        reward = torch.tensor([reward], device=device)
        done = terminated or truncated
        next_state = None if terminated else torch.tensor(observation).unsqueeze(0)
        memory.push(state, action, next_state, reward)
        state = next_state
        loss = optimize_model()
        target, policy = target_net.state_dict(), policy_net.state_dict()
        for key in policy:
            target[key] = policy[key] * TAU + target[key] * (1 - TAU)
        target_net.load_state_dict(target)
    if episode % 5 == 4:
        print(f"episode {episode} length {env.steps} loss {loss:.6f}")
with torch.no_grad():
    print(target_net(torch.zeros(1, 4)))
