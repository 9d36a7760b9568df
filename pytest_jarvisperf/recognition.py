"""Which tests are benchmarks: those that ask for the fixture by name, and those with the marker and no fixture."""

from __future__ import annotations

import unittest

import pytest

from pytest_jarvisperf.benchmark_marker import is_marked
from pytest_jarvisperf.record import start_record

FIXTURES = frozenset({"jarvis_bench", "benchmark", "codspeed_benchmark"})


def recognize(item: pytest.Item) -> bool:
    """Give a test an empty record if it is a benchmark, and tell whether it is."""
    if FIXTURES.intersection(getattr(item, "fixturenames", ())):
        start_record(item)
        return True
    if isinstance(item, pytest.Function) and not _is_unittest(item) and is_marked(item):
        start_record(item, whole_test=True)
        return True
    return False


def is_marked_in_vain(item: pytest.Item) -> bool:
    """Tell whether a test has the marker and cannot be measured: a method of `unittest.TestCase`."""
    return isinstance(item, pytest.Function) and _is_unittest(item) and is_marked(item)


def _is_unittest(item: pytest.Function) -> bool:
    return item.cls is not None and issubclass(item.cls, unittest.TestCase)
