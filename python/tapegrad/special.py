"""Special functions under the names that scientists know them by.

Example:
    >>> import tapegrad
    >>> tapegrad.special.expit(tapegrad.tensor([0.0]))
    tensor([0.5000])
"""

from __future__ import annotations

from . import _C

__all__ = [
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammainc",
    "gammaincc",
    "gammaln",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "log1p",
    "log_ndtr",
    "log_softmax",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "round",
    "sinc",
    "softmax",
    "xlog1py",
    "xlogy",
    "zeta",
]

digamma = _C.digamma
entr = _C.special_entr
erf = _C.erf
erfc = _C.erfc
erfcx = _C.special_erfcx
erfinv = _C.erfinv
exp2 = _C.exp2
expit = _C.sigmoid
expm1 = _C.expm1
gammainc = _C.igamma
gammaincc = _C.igammac
gammaln = _C.lgamma
i0 = _C.i0
i0e = _C.special_i0e
i1 = _C.special_i1
i1e = _C.special_i1e
log1p = _C.log1p
log_ndtr = _C.special_log_ndtr
log_softmax = _C.log_softmax
logit = _C.logit
logsumexp = _C.logsumexp
multigammaln = _C.mvlgamma
ndtr = _C.special_ndtr
ndtri = _C.special_ndtri
polygamma = _C.polygamma
psi = _C.digamma
round = _C.round
sinc = _C.sinc
softmax = _C.softmax
xlog1py = _C.special_xlog1py
xlogy = _C.xlogy
zeta = _C.special_zeta
