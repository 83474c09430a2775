"""A language model of characters: embedding, LSTM of two layers, linear decoder."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from drawn import initialise, integers

TEXT = (
    "the tape remembers what was done, and in the end it is read from the last line to the first. "
    "every line knows how much of the blame it passes on. "
) * 8
letters = sorted(set(TEXT))
number = {letter: i for i, letter in enumerate(letters)}
data = torch.tensor([number[letter] for letter in TEXT], dtype=torch.long)
LENGTH, BATCH = 24, 16


class CharLSTM(nn.Module):
    def __init__(self, n_letters, width=48, layers=2):
        super().__init__()
        self.embedding = nn.Embedding(n_letters, width)
        self.lstm = nn.LSTM(width, width, layers, batch_first=True)
        self.decoder = nn.Linear(width, n_letters)

    def forward(self, x, state=None):
        out, state = self.lstm(self.embedding(x), state)
        return self.decoder(out), state

    def init_state(self, batch):
        weight = next(self.parameters())
        shape = (self.lstm.num_layers, batch, self.lstm.hidden_size)
        return weight.new_zeros(shape), weight.new_zeros(shape)


model = CharLSTM(len(letters))
initialise(model)
print(model)
print("parameters:", sum(p.numel() for p in model.parameters() if p.requires_grad))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=20, gamma=0.5)

state = model.init_state(BATCH)
for step in range(60):
    starts = integers(len(data) - LENGTH - 1, BATCH)
    windows = starts[:, None] + torch.arange(LENGTH + 1)
    inputs, targets = data[windows[:, :-1]], data[windows[:, 1:]]
    logits, state = model(inputs, tuple(s.detach() for s in state))
    loss = F.cross_entropy(logits.reshape(-1, len(letters)), targets.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    if step % 10 == 0 or step == 59:
        rate = scheduler.get_last_lr()[0]
        print(f"step {step:2d} loss {loss.item():.4f} norm {norm:.4f} rate {rate:.5f}")

# What it makes of a beginning, always taking the likeliest letter.
model.eval()
with torch.no_grad():
    text, state = "the ", None
    inputs = torch.tensor([[number[letter] for letter in text]])
    for _ in range(40):
        logits, state = model(inputs, state)
        inputs = logits[:, -1:].argmax(dim=-1)
        text += letters[inputs.item()]
print(repr(text))
