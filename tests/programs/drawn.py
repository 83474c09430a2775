"""Random numbers that are the same whatever library a program runs on."""

import numpy as np
import torch

generator = np.random.default_rng(0)


def normal(*shape):
    """Numbers of the normal distribution, in the default dtype."""
    return torch.tensor(generator.standard_normal(shape), dtype=torch.get_default_dtype())


def uniform(*shape):
    """Numbers between 0 and 1, in the default dtype."""
    return torch.tensor(generator.random(shape), dtype=torch.get_default_dtype())


def integers(high, *shape):
    """Whole numbers from 0 to below `high`."""
    return torch.tensor(generator.integers(high, size=shape))


def choice(probabilities):
    """A position, by the probabilities of each."""
    steps = np.cumsum(probabilities.detach().numpy())
    return min(int(np.searchsorted(steps, generator.random())), len(steps) - 1)


@torch.no_grad()
def initialise(*modules):
    """Draw the weights of modules anew; what has one dimension stays as it is, with biases of 0."""
    for module in modules:
        for name, parameter in module.named_parameters():
            if parameter.dim() > 1:
                fan_in = parameter[0].numel()
                parameter.copy_(normal(*parameter.shape) / fan_in**0.5)
            elif "bias" in name:
                parameter.zero_()
