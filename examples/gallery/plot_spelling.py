"""
A network that spells numbers
=============================

A recurrent network reads the names of numbers letter by letter and learns to foretell the next
one. Then it writes on its own. Most of what it writes are names of numbers that it has never
read: it has found the rule. The picture shows what it expected at each letter of one of them.
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
tapegrad.manual_seed(1)
plt.style.use(["tableau-colorblind10", LOOK])

# %%
# The text is made by a rule: all numbers from one to 9,999 in words. The network gets one in ten of
# them.

WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
"""
UNITS, TENS = WORDS.split()[:20], WORDS.split()[20:]


def spell(n):
    if n < 20:
        return UNITS[n]
    if n < 100:
        return TENS[n // 10 - 2] + (f"-{UNITS[n % 10]}" if n % 10 else "")
    size, word = (1000, "thousand") if n >= 1000 else (100, "hundred")
    return f"{spell(n // size)} {word}" + (f" {spell(n % size)}" if n % size else "")


names = [spell(n) for n in range(1, 10_000)]
rng = np.random.default_rng(0)
known = [names[i] for i in rng.permutation(len(names))[:1000]]

# %%
# Letters become numbers. Number 0 ends a name, and begins it; names are filled up with it to the
# same length, and what is behind the end does not count (``ignore_index``).

letters = "\n" + "".join(sorted(set("".join(names))))
length = max(map(len, names)) + 1
codes = np.full((len(known), length + 1), -100)
for row, name in zip(codes, known):
    row[: len(name) + 2] = [letters.index(c) for c in f"\n{name}\n"]
codes = tapegrad.tensor(codes)


class Speller(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(letters), 24)
        self.gru = nn.GRU(24, 80, batch_first=True)
        self.head = nn.Linear(80, len(letters))

    def forward(self, codes, state=None):
        features, state = self.gru(self.embedding(codes), state)
        return self.head(features), state


model = Speller()
optimizer = tapegrad.optim.Adam(model.parameters(), lr=5e-3)
schedule = tapegrad.optim.lr_scheduler.CosineAnnealingLR(optimizer, 700)


@tapegrad.compile
def step(batch):
    optimizer.zero_grad()
    logits, _ = model(batch[:, :-1].clamp(min=0))
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss


for _ in range(700):
    loss = step(codes[tapegrad.randint(len(known), (64,))])
    schedule.step()
print(f"{loss.item():.3f} nats for each letter")

# %%
# Two thousand names are written at the same time: a letter is drawn for each, and becomes the next
# input.

with tapegrad.no_grad():
    last, state, written, expected = tapegrad.zeros(2000, 1, dtype=int), None, [], []
    for _ in range(length):
        logits, state = model(last, state)
        shares = logits[:, 0].softmax(dim=1)
        last = tapegrad.multinomial(shares, 1)
        written.append(last)
        expected.append(shares)
written = tapegrad.cat(written, dim=1).numpy()
expected = tapegrad.stack(expected, dim=1).numpy()
texts = ["".join(letters[c] for c in row).split("\n")[0] for row in written]

right = np.isin(texts, names)
new = right & ~np.isin(texts, known)
print(f"{right.mean():.0%} are names of numbers, {new.mean():.0%} of numbers that it has not read")
for text in [text for text, is_new in zip(texts, new) if is_new][:5]:
    print("   ", text)
mistake = next(text for text, is_right in zip(texts, right) if not is_right)
print(f"and one that is wrong: {mistake}")

# %%
# Where the rule leaves a choice, several letters share the probability; inside of a word there is
# none.

index = next(i for i in np.flatnonzero(new) if 27 <= len(texts[i]) <= 32)
text = texts[index]
columns = expected[index, : len(text) + 1].T
figure, axes = plt.subplots(figsize=(10, 5.2))
axes.imshow(np.sqrt(columns), cmap="Blues", aspect="auto", vmin=0, vmax=1.05)
for place, letter in enumerate(text + "\n"):
    row = letters.index(letter)
    colour = "white" if columns[row, place] > 0.4 else "black"
    shown = {"\n": "end", " ": "␣"}.get(letter, letter)
    style = {
        "ha": "center",
        "va": "center",
        "color": colour,
        "fontsize": 8 if letter == "\n" else 12,
    }
    axes.text(place, row, shown, weight="bold", **style)
axes.set_yticks(range(len(letters)), ["end", "space", *letters[2:]], fontsize=8)
axes.set_xticks(range(len(text) + 1), [*text.replace(" ", "␣"), ""])
axes.tick_params(length=0)
axes.spines[:].set_visible(False)
axes.set_title(f"“{text}” and what was expected at each letter")
plt.show()
