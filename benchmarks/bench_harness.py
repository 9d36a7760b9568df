"""What the harness itself costs per call of an empty function, compared with timeit and pytest-benchmark.

Every test times a loop of 1,000 calls, so a millisecond here is a microsecond per call.
"""

from __future__ import annotations

import timeit
from typing import Any

import pytest

from jarvisperf.measure.targets import FunctionTarget

CALLS = 1_000

pytestmark = pytest.mark.jarvis_bench(group="harness, 1,000 empty calls")


def nothing() -> None:
    """Return at once."""


def test_bare_loop(jarvis_bench: Any) -> None:
    def loop() -> None:
        for _ in range(CALLS):
            nothing()

    jarvis_bench(loop)


def test_jarvisperf(jarvis_bench: Any) -> None:
    target = FunctionTarget(nothing)
    jarvis_bench(target.sample, CALLS)


def test_timeit(jarvis_bench: Any) -> None:
    timer = timeit.Timer(nothing)
    jarvis_bench(timer.timeit, CALLS)


def test_pytest_benchmark(jarvis_bench: Any, benchmark: Any) -> None:
    runner = benchmark._make_runner(nothing, (), {})  # noqa: SLF001  # the loop that its own fixture times
    benchmark._mode = "not used"  # noqa: SLF001  # it warns of a fixture that was not called
    jarvis_bench(runner, range(CALLS))
