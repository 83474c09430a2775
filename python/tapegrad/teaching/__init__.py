"""Two small engines to read: reverse-mode differentiation in a few hundred lines of Python.

* :mod:`tapegrad.teaching.scalar` differentiates numbers (`Value`). The whole idea is there.
* :mod:`tapegrad.teaching.array` differentiates NumPy arrays (`Tensor`). It adds what arrays
  need: broadcasting, reductions and matrix products.

They are independent of the compiled engine and of each other. The second one is the baseline
that the benchmarks call "NumPy tape".
"""
