"""
Finding wrong labels
====================

One digit in twenty has been given a wrong label. A network is trained on all of them, and then
asked how hard each single sample pulls at its weights. Those that pull hardest are the ones with
a wrong label, or digits that anybody would have to look at twice.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import tapegrad
from tapegrad import nn
from tapegrad.func import functional_call, grad, vmap
from tapegrad.utils.data import DataLoader, TensorDataset

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
# Ninety labels are exchanged for another digit, drawn at random.

pixels, truth = load_digits(return_X_y=True)
given = truth.copy()
exchanged = rng.choice(len(truth), 90, replace=False)
given[exchanged] = (truth[exchanged] + rng.integers(1, 10, 90)) % 10
is_wrong = given != truth

x = tapegrad.tensor(pixels / 16, dtype=tapegrad.float32)
y = tapegrad.tensor(given)

model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 10))
optimizer = tapegrad.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)


@tapegrad.compile
def step(x, y):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()


batches = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
for _epoch in range(15):
    for batch in batches:
        step(*batch)

# %%
# ``grad`` gives the gradient of the loss of one sample by all parameters; ``vmap`` makes of it a
# function of all samples, which differentiates for each: 1,797 gradients of 4,810 numbers, in one
# go.

model.eval()
params = {name: p.detach() for name, p in model.named_parameters()}


def loss_of_one(params, x, y):
    return nn.functional.cross_entropy(functional_call(model, params, (x,)), y)


def pull_of_one(params, x, y):
    slopes = grad(loss_of_one)(params, x, y)
    return sum(slope.square().sum() for slope in slopes.values()).sqrt()


pull = vmap(pull_of_one, in_dims=(None, 0, 0))(params, x, y).numpy()
order = np.argsort(-pull)
found = is_wrong[order[:90]].mean()
print(f"of the 90 samples that pull hardest, {found:.0%} have a wrong label")

# %%
# The ninety that pull hardest, with the labels that they were given. Where the label had been
# exchanged, the frame is orange.

figure = plt.figure(figsize=(12, 5))
left, right = figure.subfigures(1, 2, width_ratios=[1, 1.9])
axes = left.subplots()
style = {"bins": np.linspace(0, pull.max(), 40), "alpha": 0.85}
axes.hist(pull[~is_wrong], color="C0", label="label as it was", **style)
axes.hist(pull[is_wrong], color="C1", label="label exchanged", **style)
axes.set(yscale="log", xlabel="norm of the gradient of one sample", ylabel="samples")
axes.legend(frameon=False, loc="upper right")
for axes, index in zip(right.subplots(6, 15).flat, order):
    axes.imshow(pixels[index].reshape(8, 8), cmap="gray_r")
    colour = "C1" if is_wrong[index] else "C0"
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(colour)
    axes.spines[:].set_linewidth(1.5)
    axes.set_title(f"“{given[index]}”", loc="center", fontsize=9, pad=2, color=colour)
right.suptitle("the ninety that pull hardest, with the labels that they were given")
plt.show()
