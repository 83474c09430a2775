"""Benchmarks: the same workloads on several engines, side by side.

`python -m benchmarks` measures all of them and writes the table and the picture; `--help` lists
the options. Engines that are not installed are left out; `pip install torch "jax[cpu]" autograd`
brings all.

* `engines/`: one small interface over tapegrad, PyTorch, JAX, HIPS autograd and a NumPy tape
* `expressions.py`: the mathematics of the workloads, written once for all engines
* `workloads.py`: the rows of the table
* `measure.py`: agreement of the results, interleaved rounds, medians and quartiles
* `process.py`: import time, memory and installed size, each in a process of its own
* `checkpoint.py`: the memory that checkpointing saves
* `estimators.py`: training and accuracy of the estimators beside scikit-learn's
* `distributed.py`: training in several processes, measured in two and modelled to 1,000
* `report.py`, `picture.py`: the table and the drawing
* `test_benchmarks.py`: the same workloads for pytest-benchmark
* `instructions.py`: instruction counts of the per-operation path
"""
