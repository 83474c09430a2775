# `make` or `make help` lists the targets.

PYTHON ?= python3
# The sources of C++ and Python that the formatters own.
CPP_FILES = $(shell find csrc tests/cpp -name '*.h' -o -name '*.cpp')
PY_FILES = .
# Warnings are errors, and so are names that are described nowhere (nitpicky in docs/conf.py).
SPHINX_FLAGS = --quiet --fail-on-warning --keep-going --jobs auto

.DEFAULT_GOAL := help
.PHONY: help dev editable wheel wheels test test-cpp test-all-pythons sanitize fuzz lint format typecheck tidy \
        docs docs-quick example bench instructions ci clean

help:  ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {print "\n" substr($$0, 5)} \
	    /^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Build

dev:  ## Build in place (preset dev): optimised, kernels for this machine only, rebuilds in seconds
	cmake --preset dev -DPython_EXECUTABLE="$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	cmake --build --preset dev

editable:  ## Install editable with a kept build directory (build/editable)
	$(PYTHON) -m pip install --no-build-isolation --no-deps -e . \
	    -Cbuild-dir=build/editable -Ccmake.define.TAPEGRAD_ISAS=native

wheel:  ## Build a wheel with every instruction set into dist/
	$(PYTHON) -m pip wheel --no-deps -w dist .

wheels:  ## An sdist, and tested manylinux wheels for every Python from 3.10 to 3.13 on this machine
	.ci/wheels

##@ Test

test:  ## Run the test suite on the installed package
	$(PYTHON) -m pytest -n auto

test-cpp:  ## Build and run the C++ tests for each instruction set (preset release)
	cmake --preset release -DPython_EXECUTABLE="$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	cmake --build --preset release
	ctest --preset release
	$(PYTHON) .ci/check_layers.py build/release

test-all-pythons:  ## Install and test with every Python from 3.10 to 3.13 on this machine
	.ci/all-pythons

sanitize:  ## C++ tests and the memory-heavy Python tests under AddressSanitizer and UBSan
	PYTHON=$(PYTHON) .ci/sanitize

fuzz:  ## A million random calls of all public functions under the sanitizers
	PYTHON=$(PYTHON) .ci/sanitize fuzz --calls 1000000

##@ Check

lint:  ## Formatting and mistakes: ruff, clang-format, mypy, includes against the layers
	ruff check $(PY_FILES)
	ruff format --check $(PY_FILES)
	clang-format --dry-run -Werror $(CPP_FILES)
	mypy
	$(PYTHON) .ci/check_layers.py

format:  ## Format Python and C++ in place
	ruff check --fix --exit-zero $(PY_FILES)
	ruff format $(PY_FILES)
	clang-format -i $(CPP_FILES)

typecheck:  ## Types of the Python API only
	mypy

tidy:  ## clang-tidy on the C++ sources (slow; needs build/dev)
	clang-tidy -p build/dev --quiet \
	    --extra-arg=-idirafter$$(dirname $$($${CXX:-c++} -print-file-name=include/omp.h)) \
	    $(filter-out csrc/kernels/%,$(filter csrc/%.cpp,$(CPP_FILES)))

##@ Documentation

docs:  ## Build the documentation into build/docs, with the gallery's scripts run (the extra "docs")
	$(PYTHON) -m sphinx $(SPHINX_FLAGS) docs build/docs

docs-quick:  ## The same for its warnings: the gallery's scripts are not run, pages have no list of names
	$(PYTHON) -m sphinx $(SPHINX_FLAGS) -D plot_gallery=0 -D toc_object_entries=0 docs build/docs-quick

##@ Use

example:  ## Train a digit classifier
	$(PYTHON) examples/digits.py

bench:  ## Measure against other engines; writes benchmarks/RESULTS.md and step_time.svg
	$(PYTHON) -m benchmarks

instructions:  ## Count instructions of the per-operation path (valgrind, an installed package)
	$(PYTHON) -m benchmarks.instructions

ci:  ## What continuous integration runs
	.ci/run

clean:  ## Remove everything that was built
	rm -rf build dist python/tapegrad/_lib python/tapegrad/*.so docs/gallery docs/project docs/reference
