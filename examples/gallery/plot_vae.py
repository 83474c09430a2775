"""
A map of handwritten digits
===========================

A variational autoencoder squeezes each digit of 64 pixels into two numbers, and draws it again
from these. The two numbers are a place on a map, which was made without knowing what the digits
mean; still each kind has a region of its own. What the network draws at places where no digit was
is new.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

import tapegrad
from tapegrad import nn
from tapegrad.distributions import Normal, kl_divergence
from tapegrad.utils.data import DataLoader, TensorDataset

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
# The encoder gives a mean and the logarithm of a standard deviation for both numbers; the decoder
# gives a logit for each pixel.

pixels, labels = load_digits(return_X_y=True)
pixels = tapegrad.tensor(pixels / 16, dtype=tapegrad.float32)

encoder = nn.Sequential(
    nn.Linear(64, 128), nn.SiLU(), nn.Linear(128, 64), nn.SiLU(), nn.Linear(64, 4)
)
decoder = nn.Sequential(
    nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 128), nn.SiLU(), nn.Linear(128, 64)
)
optimizer = tapegrad.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=4e-3)
schedule = tapegrad.optim.lr_scheduler.CosineAnnealingLR(optimizer, 300)


def encode(images):
    mean, log_scale = encoder(images).chunk(2, dim=1)
    return Normal(mean, log_scale.exp())


# %%
# The loss has two parts: how well the pixels are drawn again from a sample of the place
# (``rsample`` lets gradients through), and how far the places are from a normal distribution. The
# second part is what keeps the map together. Random numbers in a compiled step are new ones in
# every replay.


@tapegrad.compile
def step(images):
    optimizer.zero_grad()
    place = encode(images)
    logits = decoder(place.rsample())
    drawing = nn.functional.binary_cross_entropy_with_logits(logits, images, reduction="sum")
    distance = kl_divergence(place, Normal(0.0, 1.0)).sum()
    loss = (drawing + distance) / len(images)
    loss.backward()
    optimizer.step()
    return loss


batches = DataLoader(TensorDataset(pixels), batch_size=128, shuffle=True, drop_last=True)
for _epoch in range(300):
    loss = sum(step(images).item() for (images,) in batches) / len(batches)
    schedule.step()
print(f"bound on the negative log-likelihood: {loss:.1f} nats")

# %%
# Left: where the digits are. Right: what is drawn at the places of a grid, which is spaced so that
# each cell is equally likely.

with tapegrad.no_grad():
    places = encode(pixels).mean.numpy()
    quantiles = Normal(0.0, 1.0).icdf(tapegrad.linspace(0.03, 0.97, 14))
    grid = tapegrad.cartesian_prod(-quantiles, quantiles).flip(1)  # from the top left, as pictures
    drawn = decoder(grid).sigmoid().numpy()

neighbours = KNeighborsClassifier(15).fit(places[::2], labels[::2])
accuracy = neighbours.score(places[1::2], labels[1::2])
print(f"neighbours on the map tell {accuracy:.0%} of the digits")

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 5))
colours = plt.cm.turbo(np.linspace(0.04, 0.96, 10))
for digit in range(10):
    chosen = places[labels == digit]
    style = {"s": 34, "linewidth": 0.2, "alpha": 0.8}
    left.scatter(*chosen.T, marker=f"${digit}$", color=colours[digit], **style)
left.set(xlim=(-3.3, 3.3), ylim=(-3.3, 3.3), aspect="equal", xticks=[], yticks=[])
left.spines[:].set_visible(False)
left.set_title("where 1,797 digits are on the map", loc="center")
tiles = np.pad(drawn.reshape(14, 14, 8, 8), [(0, 0), (0, 0), (1, 1), (1, 1)])
right.imshow(tiles.swapaxes(1, 2).reshape(140, 140), cmap="gray_r")
right.set_axis_off()
right.set_title("what is drawn at places of the map", loc="center")
plt.show()
