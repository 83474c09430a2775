"""Settings of the whole suite."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import settings

# The shared modules (support, op_table, ...) are importable whatever pytest's import mode is.
sys.path.insert(0, str(Path(__file__).parent))

# Property-based tests use the same examples in each run; a slow machine is no failure.
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("suite")

import tapegrad  # noqa: E402


@pytest.fixture(autouse=True)
def fresh_random_state():
    """Each test starts from the same stream, in whatever order they run."""
    tapegrad.manual_seed(20260)
    yield
    assert tapegrad.is_grad_enabled(), "a test left recording switched off"


@pytest.fixture
def threads():
    """Sets the number of threads, until the test is over."""
    before = tapegrad.get_num_threads()
    yield tapegrad.set_num_threads
    tapegrad.set_num_threads(before)
