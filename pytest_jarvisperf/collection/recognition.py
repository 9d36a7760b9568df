"""Recognizes benchmarks: tests that request the fixture by name, and tests with the marker but no fixture."""

from __future__ import annotations

import unittest

import pytest

from pytest_jarvisperf.start.marker_names import is_marked

FIXTURES = frozenset({"jarvis_bench", "benchmark", "codspeed_benchmark"})


def is_benchmark(item: pytest.Item) -> bool:
    """Return whether a test is known to be a benchmark before it runs."""
    return _asks_by_name(item) or _is_whole_test(item)


def recognize(item: pytest.Item) -> bool:
    """Start a record for a test if it is a benchmark, and return whether it is."""
    if not is_benchmark(item):
        return False
    from pytest_jarvisperf.collection.records import start_record

    start_record(item, whole_test=not _asks_by_name(item))
    return True


def is_marked_in_vain(item: pytest.Item) -> bool:
    """Return whether a test has the marker but cannot be measured, because it is a method of `unittest.TestCase`."""
    return isinstance(item, pytest.Function) and _is_unittest(item) and is_marked(item)


def _asks_by_name(item: pytest.Item) -> bool:
    return bool(FIXTURES.intersection(getattr(item, "fixturenames", ())))


def _is_whole_test(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and not _is_unittest(item) and is_marked(item)


def _is_unittest(item: pytest.Function) -> bool:
    return item.cls is not None and issubclass(item.cls, unittest.TestCase)
