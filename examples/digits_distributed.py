"""Trains a small network to read handwritten digits, in several processes.

    mpiexec -n 2 python examples/digits_distributed.py

Each process takes its part of every batch, and all take the same steps. With --checkpoint, the
state of the training is kept in a file, from which the same command goes on where it was stopped,
to the same bits.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Any

import tapegrad
from tapegrad import distributed, nn, optim
from tapegrad.nn.parallel import DistributedDataParallel as DDP
from tapegrad.utils.data import DataLoader, DistributedSampler, TensorDataset

try:
    from sklearn.datasets import load_digits
except ImportError as error:
    sys.exit(f'{error}. The examples need more packages: pip install ".[examples]"')

CLASSES = 10
HELD_OUT = 360  # of 1,797 digits


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train a network on handwritten digits, in the processes that mpiexec starts.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--epochs", type=int, default=30, metavar="N", help="passes over the data")
    add("--batch-size", type=int, default=64, metavar="N", help="digits per step, of all processes")
    add("--hidden", type=int, default=128, metavar="N", help="units in the hidden layer")
    add("--lr", type=float, default=5e-3, metavar="X", help="learning rate at the start")
    add("--seed", type=int, default=0, metavar="N", help="seed of all random numbers")
    add("--checkpoint", type=Path, metavar="FILE", help="where to keep the state of the training")
    add("--every", type=int, default=20, metavar="N", help="steps from one checkpoint to the next")
    return parser.parse_args()


def load_data() -> tuple[TensorDataset, TensorDataset]:
    """Pixels from 0 to 1 and labels: those to train with, and those held out."""
    pixels, labels = (tapegrad.from_numpy(array) for array in load_digits(return_X_y=True))
    order = tapegrad.randperm(len(labels), generator=tapegrad.Generator().manual_seed(0))
    pixels, labels = (pixels[order] / 16).float(), labels[order]
    return (
        TensorDataset(pixels[HELD_OUT:], labels[HELD_OUT:]),
        TensorDataset(pixels[:HELD_OUT], labels[:HELD_OUT]),
    )


class Training:
    """Everything that a training consists of, and its state in a file."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.data, self.test = load_data()
        tapegrad.manual_seed(options.seed + distributed.get_rank())  # dropout differs
        network = nn.Sequential(
            nn.Linear(64, options.hidden),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(options.hidden, CLASSES),
        )
        self.model = DDP(network)
        self.optimizer = optim.AdamW(self.model.parameters(), lr=options.lr)
        self.scheduler = optim.lr_scheduler.CosineAnnealingLR(self.optimizer, options.epochs)
        self.sampler = DistributedSampler(self.data, seed=options.seed)
        self.batches = DataLoader(
            self.data,
            batch_size=max(1, options.batch_size // distributed.get_world_size()),
            sampler=self.sampler,
            generator=tapegrad.Generator(),  # not the one of dropout
        )
        self.epoch = 0
        self.start = 0  # digits of this process that this epoch has had
        self.steps = 0

    def save(self) -> None:
        state = tapegrad.get_rng_state()
        states = [tapegrad.empty_like(state) for _ in range(distributed.get_world_size())]
        distributed.all_gather(states, state)
        if distributed.get_rank() == 0:
            checkpoint = {
                "model": self.model.module.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scheduler": self.scheduler.state_dict(),
                "sampler": {"epoch": self.epoch, "start": self.start},
                "generators": states,
                "steps": self.steps,
            }
            tapegrad.save(checkpoint, self.options.checkpoint, atomic=True)

    def load(self) -> None:
        checkpoint: dict[str, Any] = tapegrad.load(self.options.checkpoint)
        if len(checkpoint["generators"]) != distributed.get_world_size():
            sys.exit(f"{self.options.checkpoint} is of {len(checkpoint['generators'])} processes")
        self.model.module.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.scheduler.load_state_dict(checkpoint["scheduler"])
        self.epoch, self.start = checkpoint["sampler"]["epoch"], checkpoint["sampler"]["start"]
        self.steps = checkpoint["steps"]
        tapegrad.set_rng_state(checkpoint["generators"][distributed.get_rank()])

    def run(self) -> None:
        while self.epoch < self.options.epochs:
            self.sampler.set_epoch(self.epoch, self.start)
            total = tapegrad.zeros(2)  # of losses, and how many
            for pixels, labels in self.batches:
                self.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.model(pixels), labels)
                loss.backward()
                self.optimizer.step()
                total += tapegrad.stack([loss.detach() * len(labels), tapegrad.tensor(len(labels))])
                self.start += len(labels)
                self.steps += 1
                if self.options.checkpoint and self.steps % self.options.every == 0:
                    self.save()
            self.scheduler.step()
            self.epoch, self.start = self.epoch + 1, 0
            distributed.all_reduce(total)
            if distributed.get_rank() == 0:
                mean = (total[0] / total[1]).item()
                print(f"epoch {self.epoch:3}: loss {mean:.4f}", flush=True)

    def accuracy(self) -> float:
        self.model.eval()
        pixels, labels = self.test.tensors
        with tapegrad.no_grad():
            predicted = self.model.module(pixels).argmax(dim=1)
        return (predicted == labels).float().mean().item()


def main() -> None:
    options = parse_arguments()
    distributed.init_process_group()
    training = Training(options)
    if options.checkpoint and options.checkpoint.exists():
        training.load()
    training.run()
    if distributed.get_rank() == 0:
        bits = b"".join(p.detach().numpy().tobytes() for p in training.model.parameters())
        print(f"accuracy on {HELD_OUT} held-out digits: {training.accuracy():.1%}")
        print(f"parameters after {training.steps} steps: {hashlib.sha256(bits).hexdigest()[:16]}")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
