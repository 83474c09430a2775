"""Questions about whole tensors, answered with a bool."""

from __future__ import annotations

import numpy as np

from op_row import E, S
from support import ALL

from .build import add_row

add_row("allclose", lambda x, y, **kw: np.allclose(x, y, **kw), lambda m: [
            S(x := m(2, 3), x), S(m(3), m(3) + 1), S(m(), m(3)), S(m(0), m(0)), S(m(3) * np.nan, m(3)),
            S(x := m(3) * np.nan, x, equal_nan=True), S(x := m(3), x + 1e-3, rtol=1e-2, atol=1e-2)],
        "question", diff=False,
        errors=(E(lambda t: t.allclose(t.ones(2), t.ones(2, dtype=t.float64)), RuntimeError,
                  "Float did not match Double"),))
add_row("is_nonzero", np.bool_, lambda m: [S(m()), S(m(1)), S(m(1, 1)), S(m(1) * 0)],
        "question", dtypes=ALL, diff=False,
        errors=(E(lambda t: t.is_nonzero(t.ones(2)), RuntimeError,
                  "Boolean value of Tensor with more than one value is ambiguous"),
                E(lambda t: t.is_nonzero(t.ones(0)), RuntimeError,
                  "Boolean value of Tensor with no values is ambiguous")))
add_row("equal", np.array_equal, lambda m: [S(x := m(2, 3), x), S(m(2, 3), m(3)), S(m(0), m(0)),
                                            S(m(9), m(9)), S(m(0), m(0, 1))],
        "question", dtypes=ALL, diff=False)
