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

from ._jacobians import hessian, jacfwd, jacrev
from ._levels import debug_unwrap
from ._modules import functional_call, replace_all_batch_norm_modules_, stack_module_state
from ._transforms import grad, grad_and_value, jvp, linearize, vjp
from ._vmap import vmap

__all__ = [
    "debug_unwrap",
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]
