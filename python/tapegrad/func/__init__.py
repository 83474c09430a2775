"""Functions of functions: derivatives and batches, as in ``torch.func``.

The transforms can be nested in any order; none of them touches the ``.grad`` of a tensor.

Example:
    >>> import tapegrad
    >>> from tapegrad.func import grad, vmap
    >>> per_sample = vmap(grad(lambda w, x: (w * x).sin().sum()), in_dims=(None, 0))
    >>> per_sample(tapegrad.zeros(2), tapegrad.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[1., 2.],
            [3., 4.]])
"""

from ._vmap import vmap

__all__ = ["vmap"]
