"""
Reading digits
==============

A small convolutional network learns to read 8 x 8 pixels. The gradient of its answer by the
*pixels* shows what it looks at: where ink speaks for a digit, and where it speaks against it. The
last row has the digits of the test set on which it is wrong, or nearly so.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tapegrad
from tapegrad import nn
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
# The data come with scikit-learn: 1,797 digits. A quarter of them is kept for the test.

digits = load_digits()
pixels = (digits.images[:, None] / 16).astype(np.float32)  # (1797, 1, 8, 8), from 0 to 1
parts = train_test_split(pixels, digits.target, test_size=0.25, random_state=0)
train_pixels, test_pixels, train_labels, test_labels = map(tapegrad.from_numpy, parts)

model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Dropout(0.3),
    nn.Linear(32 * 4 * 4, 10),
)
optimizer = tapegrad.optim.Adam(model.parameters(), lr=2e-3)

# %%
# ``tapegrad.compile`` records the step when it is called first, and replays its kernels from then
# on.


@tapegrad.compile
def step(pixels, labels):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(pixels), labels)
    loss.backward()
    optimizer.step()
    return loss


batches = DataLoader(TensorDataset(train_pixels, train_labels), batch_size=64, shuffle=True)
for _epoch in range(40):
    for batch in batches:
        step(*batch)

# %%
# How good is it on digits that it has not seen? The pixels require gradients here, so the same
# forward pass serves for the question that comes next.

model.eval()
test_pixels.requires_grad_()
logits = model(test_pixels)
shares = logits.softmax(dim=1)
sureness = shares[range(len(test_labels)), test_labels].detach().numpy()
predicted = logits.argmax(dim=1)
accuracy = (predicted == test_labels).float().mean().item()
print(f"{accuracy:.1%} of {len(test_labels)} test digits are read correctly")

# %%
# The samples of a batch do not meet in this network. So one backward pass, from the sum of the
# right answers' outputs, gives the gradient of each answer by its own pixels.

answers = logits[range(len(test_labels)), test_labels]
(slopes,) = tapegrad.autograd.grad(answers.sum(), test_pixels)

# %%
# The first row has the mean of all test digits of a kind, the second the mean of their gradients.
# Purple pixels speak for the digit, orange ones against it.

images, labels = test_pixels.detach().numpy()[:, 0], test_labels.numpy()
means = [images[labels == digit].mean(axis=0) for digit in range(10)]
reasons = [slopes.numpy()[labels == digit, 0].mean(axis=0) for digit in range(10)]
limit = np.abs(reasons).max()
hardest = np.argsort(sureness)[:10]

figure, rows = plt.subplots(3, 10, figsize=(10, 4))
for axes, mean in zip(rows[0], means):
    axes.imshow(mean, cmap="gray_r")
for axes, reason in zip(rows[1], reasons):
    axes.imshow(reason, cmap="PuOr", vmin=-limit, vmax=limit)
for axes, index in zip(rows[2], hardest):
    axes.imshow(images[index], cmap="gray_r")
    wrong = predicted[index].item() != labels[index]
    title = f"{predicted[index].item()}, is {labels[index]}" if wrong else f"{labels[index]}"
    axes.set_title(title, loc="center", fontsize=9, color="C5" if wrong else "black")
for axes, text in zip(
    rows[:, 0], ["mean digit", "ink for it,\nor against", "the hardest,\nas read"]
):
    axes.set_ylabel(text, rotation=0, ha="right", va="center")
for axes in rows.flat:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("0.8")
figure.suptitle(f"{accuracy:.1%} of the test digits are read correctly", ha="center")
plt.show()
