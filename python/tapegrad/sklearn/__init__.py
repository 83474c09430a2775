"""Estimators with scikit-learn's interface: ``pip install tapegrad[sklearn]``.

:class:`MLPClassifier` and :class:`MLPRegressor` take the places of scikit-learn's, and
:class:`NeuralClassifier` and :class:`NeuralRegressor` train any :class:`tapegrad.nn.Module`.
"""

try:
    import sklearn
except ImportError as error:
    raise ImportError(
        "tapegrad.sklearn needs the package scikit-learn: pip install tapegrad[sklearn]"
    ) from error
if tuple(int(part) for part in sklearn.__version__.split(".")[:2]) < (1, 6):
    raise ImportError(
        f"tapegrad.sklearn needs scikit-learn 1.6 or newer, not {sklearn.__version__}: "
        "pip install tapegrad[sklearn]"
    )

from .callbacks import Callback, ProgressBar
from .mlp import MLPClassifier, MLPRegressor
from .neural import NeuralClassifier, NeuralRegressor

__all__ = [
    "Callback",
    "MLPClassifier",
    "MLPRegressor",
    "NeuralClassifier",
    "NeuralRegressor",
    "ProgressBar",
]
