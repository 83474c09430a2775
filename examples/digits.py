"""Trains a small network to read handwritten digits.

The data are the 1,797 digits of 8 x 8 pixels that come with scikit-learn. A part of them is held
out for testing. The trained parameters are saved and loaded again, and a picture shows the loss and
some of the test digits with what the network takes them for.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import tapegrad
from tapegrad import nn, optim
from tapegrad.utils.data import DataLoader, TensorDataset

try:
    import matplotlib
    from matplotlib.backend_bases import FigureCanvasBase
    from sklearn.datasets import load_digits
    from tqdm import tqdm
except ImportError as error:
    sys.exit(f'{error}. The examples need more packages: pip install ".[examples]"')

matplotlib.use("Agg")  # draws into files, without a display
import matplotlib.pyplot as plt

CLASSES = 10
OPTIMIZERS = {
    "sgd": lambda params, lr: optim.SGD(params, lr=lr, momentum=0.9),
    "adam": lambda params, lr: optim.Adam(params, lr=lr),
    "adamw": lambda params, lr: optim.AdamW(params, lr=lr),
    "rmsprop": lambda params, lr: optim.RMSprop(params, lr=lr),
}


# ---------------------------------------------------------------------- command line


def positive_int(text: str) -> int:
    """A whole number of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value


def seed_value(text: str) -> int:
    """A whole number from 0 to 2**32 - 1."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 4294967295")
    return value


def positive_float(text: str) -> float:
    """A finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def test_share(text: str) -> float:
    """A number between 0.05 and 0.9."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.05 <= value <= 0.9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0.05 and 0.9")
    return value


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train a network with one hidden layer on handwritten digits.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--epochs", type=positive_int, default=40, metavar="N", help="passes over the data")
    add("--batch-size", type=positive_int, default=64, metavar="N", help="digits per step")
    add("--hidden", type=positive_int, default=128, metavar="N", help="units in the hidden layer")
    add("--lr", type=positive_float, default=5e-3, metavar="X", help="learning rate")
    add("--optimizer", choices=sorted(OPTIMIZERS), default="adamw", help="how to descend")
    add("--test-share", type=test_share, default=0.2, metavar="X", help="held out, 0.05 to 0.9")
    add("--compile", action="store_true", help="record the training step, and replay it")
    add("--seed", type=seed_value, default=0, metavar="N", help="seed of all random numbers")
    add("--model", type=Path, default=Path("digits.safetensors"), help="file for the parameters")
    add("--picture", type=Path, default=Path("digits.png"), help="file for the picture")
    options = parser.parse_args(arguments)
    for name in ("model", "picture"):
        path = getattr(options, name)
        if path.is_dir():
            parser.error(f"argument --{name}: {path} is a directory")
        if not path.parent.is_dir():
            parser.error(f"argument --{name}: there is no directory {path.parent}")
    formats = FigureCanvasBase.get_supported_filetypes()
    if options.picture.suffix[1:].lower() not in formats:
        parser.error(f"argument --picture: the ending must be one of {', '.join(sorted(formats))}")
    return options


# ---------------------------------------------------------------------- data and model


@dataclass
class Digits:
    """Pixels from 0 to 1 (float32, 64 per digit) and labels (int64), divided at random."""

    train: TensorDataset
    test: TensorDataset


def load_data(share: float, seed: int) -> Digits:
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    pixels = (pixels[order] / 16.0).astype(np.float32)
    labels = labels[order].astype(np.int64)
    held_out = round(share * len(labels))

    def dataset(part: slice) -> TensorDataset:
        return TensorDataset(tapegrad.from_numpy(pixels[part]), tapegrad.from_numpy(labels[part]))

    return Digits(train=dataset(slice(held_out, None)), test=dataset(slice(held_out)))


def make_model(hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, CLASSES))


def predict(model: nn.Module, data: TensorDataset) -> tuple[np.ndarray, float]:
    """The predicted labels, and the share of them that is right."""
    pixels, labels = data.tensors
    model.eval()
    with tapegrad.no_grad():
        predicted = model(pixels).argmax(dim=1)
    return predicted.numpy(), (predicted == labels).float().mean().item()


# ---------------------------------------------------------------------- training


@dataclass
class History:
    """What happened in training."""

    steps: list[float] = field(default_factory=list)  # the loss of every step
    epochs: list[float] = field(default_factory=list)  # its mean over every epoch
    seconds: float = 0.0
    samples: int = 0


def train(model: nn.Module, data: TensorDataset, options: argparse.Namespace) -> History:
    optimizer = OPTIMIZERS[options.optimizer](model.parameters(), options.lr)
    criterion = nn.CrossEntropyLoss()
    batches = DataLoader(data, batch_size=options.batch_size, shuffle=True)
    history = History()
    model.train()

    def step(pixels: tapegrad.Tensor, labels: tapegrad.Tensor) -> tapegrad.Tensor:
        optimizer.zero_grad()
        loss = criterion(model(pixels), labels)
        loss.backward()
        optimizer.step()
        return loss

    if options.compile:
        step = tapegrad.compile(step)
    started = time.perf_counter()
    with tqdm(total=options.epochs, desc="training", unit="epoch") as bar:
        for _ in range(options.epochs):
            first = len(history.steps)
            for pixels, labels in batches:
                history.steps.append(step(pixels, labels).item())
            history.epochs.append(float(np.mean(history.steps[first:])))
            bar.set_postfix(loss=f"{history.epochs[-1]:.4f}", refresh=False)
            bar.update()
    history.seconds = time.perf_counter() - started
    history.samples = options.epochs * len(data)
    return history


# ---------------------------------------------------------------------- picture

INK, MUTED, BLUE, RED = "#1f2430", "#8a93a3", "#2f6fb3", "#d1342f"
ROWS, COLUMNS = 5, 10


def choose(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which test digits to show: every wrong one that fits, and right ones from everywhere."""
    wrong = np.flatnonzero(predicted != labels)[: ROWS * COLUMNS]
    right = np.flatnonzero(predicted == labels)
    count = min(ROWS * COLUMNS - len(wrong), len(right))
    spread = np.linspace(0, len(right) - 1, count).astype(int)
    return np.sort(np.concatenate([wrong, right[spread]]))


def draw(
    path: Path, history: History, data: TensorDataset, predicted: np.ndarray, accuracy: float
) -> None:
    pixels, labels = (tensor.numpy() for tensor in data.tensors)
    plt.rcParams.update({"font.size": 10, "text.color": INK, "axes.edgecolor": MUTED})
    figure = plt.figure(figsize=(13, 5.6), facecolor="white", layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.45), wspace=0.03)

    axes = left.subplots()
    per_epoch = len(history.steps) / len(history.epochs)
    steps = (np.arange(len(history.steps)) + 1) / per_epoch
    axes.plot(steps, history.steps, color=BLUE, alpha=0.25, linewidth=0.8, label="each step")
    ends = np.arange(len(history.epochs)) + 1
    marker = "o" if len(ends) < 4 else ""
    label = "mean of each epoch"
    axes.plot(ends - 0.5, history.epochs, color=BLUE, linewidth=2, marker=marker, label=label)
    axes.set_yscale("log")
    # The last batch of an epoch may be tiny: its outliers do not decide the scale.
    axes.set_ylim(bottom=max(float(np.percentile(history.steps, 1)) / 1.5, 1e-6))
    axes.set_xlim(0, len(history.epochs))
    axes.set_xlabel("epoch", color=INK)
    axes.set_ylabel("cross-entropy", color=INK)
    axes.set_title("Training loss", loc="left", fontsize=12, fontweight="bold")
    axes.grid(axis="y", color="#e6e9ee", linewidth=0.8)
    axes.tick_params(colors=MUTED, which="both", labelcolor=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper right")

    shown = choose(predicted, labels)
    wrong = int((predicted != labels).sum())
    marked = int((predicted[shown] != labels[shown]).sum())
    which = "in red" if marked == wrong else f"{marked} of them in red"
    right.suptitle(
        f"Predictions: {accuracy:.1%} right, {wrong} of {len(labels)} test digits wrong ({which})",
        x=0.01,
        ha="left",
        fontsize=12,
        fontweight="bold",
    )
    for axes in right.subplots(ROWS, COLUMNS).flat:
        axes.set_axis_off()
    for axes, index in zip(right.axes, shown, strict=False):
        axes.set_axis_on()
        axes.set_xticks([])
        axes.set_yticks([])
        axes.imshow(pixels[index].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        good = predicted[index] == labels[index]
        text = str(predicted[index]) if good else f"{predicted[index]} (is {labels[index]})"
        axes.set_title(
            text,
            fontsize=10,
            pad=3,
            color=INK if good else RED,
            fontweight="normal" if good else "bold",
        )
        for spine in axes.spines.values():
            spine.set(color="#d5dae2" if good else RED, linewidth=0.8 if good else 2.5)
    figure.savefig(path, dpi=130)
    plt.close(figure)


# ---------------------------------------------------------------------- everything together


def main() -> None:
    options = parse_arguments()
    tapegrad.manual_seed(options.seed)
    data = load_data(options.test_share, options.seed)
    model = make_model(options.hidden)
    weights = sum(p.numel() for p in model.parameters())
    print(f"64-{options.hidden}-{CLASSES} network with {weights:,} parameters")
    print(f"{len(data.train)} digits for training, {len(data.test)} for testing")

    history = train(model, data.train, options)
    rate = history.samples / history.seconds
    print(f"trained in {history.seconds:.2f} s: {rate:,.0f} samples/s")
    predicted, accuracy = predict(model, data.test)
    print(f"test accuracy: {accuracy:.2%}")

    tapegrad.save(model.state_dict(), options.model)
    loaded = make_model(options.hidden)
    loaded.load_state_dict(tapegrad.load(options.model))
    _, again = predict(loaded, data.test)
    print(f"test accuracy after saving to {options.model} and loading: {again:.2%}")
    if again != accuracy:
        sys.exit("the loaded network does not give the same results")

    draw(options.picture, history, data.test, predicted, accuracy)
    print(f"picture: {options.picture}")


if __name__ == "__main__":
    main()
