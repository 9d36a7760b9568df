"""pytest-benchmark's `benchmark` fixture, measured by this plugin and unchanged for the test's author.

The fixture remains an object of pytest-benchmark, with its options, marker, `weave` and `stats`. Only the two methods
that take the samples are replaced. If pytest-benchmark itself was asked to measure or write something, it does so.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from pytest_jarvisperf.bridges.pytest_benchmark_options import ITS_OWN_OPTIONS, has_outputs
from pytest_jarvisperf.start.marker_names import is_marked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jarvisperf.measure.sampling import Samples
__tracebackhide__ = True  # leave these frames out of tracebacks: the error is in the user's function


class PytestBenchmarkBridge:
    """Overrides the `benchmark` fixture; registered after all plugins, so that its definition wins."""

    def __init__(self, config: pytest.Config, *, measures: bool) -> None:
        self._measures = measures
        self._takes_over = measures or not any(config.getoption(name, None) for name in ITS_OWN_OPTIONS)
        self._reports_there = has_outputs(config)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Run benchmarks even if the project's options disable or skip them in ordinary runs."""
        theirs = getattr(session.config, "_benchmarksession", None)
        if self._measures and theirs is not None:
            theirs.skip = False
            theirs.disabled = False
            theirs.xdist_warning = False  # benchmarks run after the distributed tests, so they are not disabled

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Show pytest-benchmark only the keywords that it knows; this plugin honours the others."""
        if self._takes_over and is_marked(item):
            from pytest_jarvisperf.markers.pytest_benchmark import hide_keywords

            hide_keywords(item, "max_rounds")

    @pytest.fixture
    def benchmark(self, benchmark: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
        """Time a function, see https://pytest-benchmark.readthedocs.io; measured by jarvisperf."""
        if not self._takes_over:
            yield benchmark
            return
        from pytest_jarvisperf.bridges.calls import BenchmarkCalls
        from pytest_jarvisperf.collection.records import record_of
        from pytest_jarvisperf.markers.pytest_benchmark import asked_of, plan_of
        from pytest_jarvisperf.state import state_of

        record = record_of(request.node)
        options, harness = state_of(request.config)[:2]
        plan = plan_of(asked_of(request.node), options, min_rounds=benchmark._min_rounds)  # noqa: SLF001
        keep = functools.partial(_fill_stats, benchmark)
        calls = BenchmarkCalls(record, plan, harness, benchmark._timer, keep)  # noqa: SLF001
        benchmark._raw = lambda function, *args, **kwargs: calls.time(function, args, kwargs)  # noqa: SLF001
        benchmark._raw_pedantic = calls.rounds  # noqa: SLF001
        if not (options.bench and self._reports_there):
            benchmark._add_stats = _ignore  # noqa: SLF001
        yield benchmark
        record.describe(record.group if benchmark.group is None else benchmark.group, benchmark.extra_info)
        calls.finish()

    @pytest.fixture
    def codspeed_benchmark(self, benchmark: Any) -> Any:
        """Time a function, see https://codspeed.io/docs; the same fixture as `benchmark`."""
        return benchmark


def _fill_stats(fixture: Any, samples: Samples) -> None:
    stats = fixture._make_stats(samples.iterations)  # noqa: SLF001
    for seconds in samples.seconds:
        stats.update(seconds * samples.iterations)


def _ignore(stats: object) -> None:
    """Keep a test's figures out of pytest-benchmark's own table."""
