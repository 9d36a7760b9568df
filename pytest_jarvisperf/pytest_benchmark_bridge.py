"""pytest-benchmark's `benchmark` fixture, measured by this plugin and unchanged for the test's author.

The fixture stays an object of pytest-benchmark, with its options, marker, `weave` and `stats`. Only the two methods
that take the samples are replaced. Where pytest-benchmark itself was told to measure or to write something, it does so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_jarvisperf.bench_fixture import WARMUP_SHARE
from pytest_jarvisperf.record import record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jarvisperf.bench.sampling import Plan
    from pytest_jarvisperf.harness import Harness
    from pytest_jarvisperf.options import Options
    from pytest_jarvisperf.record import Record

__tracebackhide__ = True  # pytest then leaves these frames out: what raised is the user's function

# With one of these pytest-benchmark was told to do something: without --jarvis-bench it is left alone.
ITS_OWN_OPTIONS = (
    "benchmark_disable",
    "benchmark_skip",
    "benchmark_enable",
    "benchmark_only",
    "benchmark_save",
    "benchmark_autosave",
    "benchmark_json",
    "benchmark_compare",
    "benchmark_compare_fail",
    "benchmark_histogram",
    "benchmark_cprofile",
)
ITS_OUTPUT_OPTIONS = ITS_OWN_OPTIONS[4:]


class PytestBenchmarkBridge:
    """Overrides the `benchmark` fixture; registered after all plugins, so that its definition is the nearer one."""

    def __init__(self, config: pytest.Config, options: Options, harness: Harness, *, measures: bool) -> None:
        self._options = options
        self._harness = harness
        self._measures = measures
        self._takes_over = measures or not _is_set(config, ITS_OWN_OPTIONS)
        self._reports_there = _is_set(config, ITS_OUTPUT_OPTIONS)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Let benchmarks run although the project's options disable or skip them in ordinary runs."""
        theirs = getattr(session.config, "_benchmarksession", None)
        if self._measures and theirs is not None:
            theirs.skip = False
            theirs.disabled = False

    @pytest.fixture
    def benchmark(self, benchmark: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
        """Time a function, see https://pytest-benchmark.readthedocs.io; measured by jarvisperf."""
        if not self._takes_over:
            yield benchmark
            return
        record = record_of(request.node)
        marker = request.node.get_closest_marker("benchmark")
        asked = marker.kwargs if marker else {}
        bridge = _Bridge(benchmark, record, self._plan(benchmark, asked), self._harness)
        benchmark._raw = bridge.time  # noqa: SLF001
        benchmark._raw_pedantic = bridge.rounds  # noqa: SLF001
        if not (self._options.bench and self._reports_there):
            benchmark._add_stats = _ignore  # noqa: SLF001
        yield benchmark
        record.describe(record.group if benchmark.group is None else benchmark.group, benchmark.extra_info)

    def _plan(self, fixture: Any, asked: Mapping[str, Any]) -> Plan:
        return plan_of({"min_rounds": fixture._min_rounds, **asked}, self._options)  # noqa: SLF001


def plan_of(asked: Mapping[str, Any], options: Options) -> Plan:
    """Make the plan of a benchmark: this plugin's, but for what the test's own marker asks for.

    Args:
        asked: The keywords of the marker.
        options: This plugin's.
    """
    from jarvisperf.bench.sampling import Plan

    budget = float(asked.get("max_time", options.budget_seconds))
    return Plan(
        budget_seconds=budget,
        warmup_seconds=budget * WARMUP_SHARE if asked.get("warmup", True) else 0.0,
        min_samples=asked.get("min_rounds", 5),
        pause_collector=bool(asked.get("disable_gc", True)),
    )


class _Bridge:
    """Takes the samples of one `benchmark` fixture."""

    def __init__(self, fixture: Any, record: Record, plan: Plan, harness: Harness) -> None:
        self._fixture = fixture
        self._record = record
        self._plan = plan
        self._harness = harness

    def time(self, function_to_benchmark: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        from jarvisperf.bench.targets import FunctionTarget

        target = FunctionTarget(function_to_benchmark, args, kwargs, clock=self._fixture._timer)  # noqa: SLF001
        result, samples = self._harness.time(self._record, target, self._plan)
        self._fill_stats(samples)
        return result

    def rounds(
        self,
        target: Callable[..., Any],
        args: Any = (),
        kwargs: Any = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        rounds: int = 1,
        warmup_rounds: int = 0,
        iterations: int = 1,
    ) -> Any:
        from jarvisperf.bench.checks import check_whole_number
        from jarvisperf.bench.targets import SetUpTarget

        check_whole_number("rounds", rounds, least=1)
        check_whole_number("warmup_rounds", warmup_rounds, least=0)
        made = SetUpTarget(
            target,
            args,
            kwargs,
            setup=setup,
            teardown=teardown,
            iterations=iterations,
            clock=self._fixture._timer,  # noqa: SLF001
            awaits=False,  # pytest-benchmark hands coroutines back, and its users await them themselves
        )
        result, samples = self._harness.rounds(self._record, made, rounds, warmup_rounds)
        self._fill_stats(samples)
        return result

    def _fill_stats(self, samples: Any) -> None:
        stats = self._fixture._make_stats(samples.iterations)  # noqa: SLF001
        for seconds in samples.seconds:
            stats.update(seconds * samples.iterations)


def _is_set(config: pytest.Config, names: tuple[str, ...]) -> bool:
    return any(config.getoption(name, None) for name in names)


def _ignore(stats: object) -> None:
    """Keep a test's figures out of pytest-benchmark's own table."""
