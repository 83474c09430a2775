"""The exclusive or, learned by a network with four hidden units."""

import tapegrad
from tapegrad import nn, optim

tapegrad.manual_seed(0)
inputs = tapegrad.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
targets = tapegrad.tensor([[0.0], [1.0], [1.0], [0.0]])

model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
criterion = nn.BCEWithLogitsLoss()
optimizer = optim.Adam(model.parameters(), lr=0.05)

for step in range(501):
    optimizer.zero_grad()
    loss = criterion(model(inputs), targets)
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step:3d}: loss {loss.item():.4f}")

with tapegrad.no_grad():
    for row, p in zip(inputs.tolist(), tapegrad.sigmoid(model(inputs)).tolist(), strict=True):
        print(f"{row[0]:.0f} xor {row[1]:.0f} = {p[0]:.3f}")
