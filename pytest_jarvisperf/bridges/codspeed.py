"""The fixtures `benchmark` and `codspeed_benchmark` with pytest-codspeed's interface, if pytest-benchmark is absent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_jarvisperf.bridges.calls import BenchmarkCalls
from pytest_jarvisperf.collection.records import record_of
from pytest_jarvisperf.markers.pytest_benchmark import asked_of, clock_of, plan_of
from pytest_jarvisperf.measuring.jarvis_bench import MetricAlreadyMeasuredError
from pytest_jarvisperf.state import state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__tracebackhide__ = True  # leave these frames out of tracebacks: the error is in the user's function


class CodspeedBridge:
    """Defines the fixtures; registered after all plugins, so that its definitions win."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.fixture
    def codspeed_benchmark(self, request: pytest.FixtureRequest) -> Iterator[CodspeedBenchmark]:
        """Time a function, see https://codspeed.io/docs; measured by jarvisperf."""
        record = record_of(request.node)
        asked = asked_of(request.node)
        state = state_of(self._config)
        plan = plan_of(asked, state.options)
        calls = BenchmarkCalls(record, plan, state.harness, clock_of(asked))
        fixture = CodspeedBenchmark(record.id, record.group, calls)
        yield fixture
        record.describe(fixture.group, fixture.extra_info)
        calls.finish()

    @pytest.fixture
    def benchmark(self, codspeed_benchmark: CodspeedBenchmark) -> CodspeedBenchmark:
        """Time a function; the same fixture as `codspeed_benchmark`."""
        return codspeed_benchmark


class CodspeedBenchmark:
    """Measures the target of one test.

    Attributes:
        extra_info: Notes that appear in the report; values become text.
        group: The group that the benchmark is shown in; may be set.
    """

    def __init__(self, name: str, group: str | None, calls: BenchmarkCalls) -> None:
        self._name = name
        self._calls = calls
        self._is_used = False
        self.group = group
        self.extra_info: dict[str, Any] = {}

    def __call__(self, target: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Time a function and return the result of its first call.

        Raises:
            MetricAlreadyMeasuredError: This test has already measured something.
            Exception: Whatever the function raises.
        """
        self._claim()
        return self._calls.time(target, args, kwargs)

    def pedantic(
        self,
        target: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        setup: Callable[..., Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        rounds: int = 1,
        warmup_rounds: int = 0,
        iterations: int = 1,
    ) -> Any:
        """Time a function for a number of rounds and return the result of its last call, see `BenchmarkCalls.rounds`.

        Raises:
            MetricAlreadyMeasuredError: This test has already measured something.
            TypeError: `rounds`, `warmup_rounds` or `iterations` is not a whole number.
            ValueError: One of them is out of range.
            Exception: Whatever the function raises.
        """
        self._claim()
        return self._calls.rounds(target, args, kwargs, setup, teardown, rounds, warmup_rounds, iterations)

    def _claim(self) -> None:
        if self._is_used:
            raise MetricAlreadyMeasuredError(
                f"{self._name} measures time twice, but a test can measure each metric only once: "
                "split it into two tests"
            )
        self._is_used = True
