"""pytest-benchmark's own outputs in lockstep: its session gets head's figures and processes them itself."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from jarvisperf.measure.metrics import TIME
from pytest_jarvisperf.bridges.pytest_benchmark_options import PROFILE_OPTIONS, has_outputs
from pytest_jarvisperf.markers.pytest_benchmark import asked_of
from pytest_jarvisperf.usage_errors import usage_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from jarvisperf.gate.lockstep.model import Outcome
    from jarvisperf.gate.lockstep.tally import Tally

DRAWS_WITH = ("pygal", "pygaljs")


def refuse_what_would_fail(config: pytest.Config) -> None:
    """Reject what pytest-benchmark cannot do without measuring itself, and what would fail only after measuring.

    Raises:
        pytest.UsageError: It was asked to profile, or to draw a histogram without the packages for it; the message says
            what to write or install instead.
    """
    for name in PROFILE_OPTIONS:
        if config.getoption(name, None):
            raise usage_error(
                f"--{name.replace('_', '-')} and --jarvis-bench cannot be combined; "
                "give --jarvis-profile --jarvis-profile-engine=cprofile"
            )
    lacking = [name for name in DRAWS_WITH if importlib.util.find_spec(name) is None]
    if lacking and config.getoption("benchmark_histogram", None):
        raise usage_error(
            f"--benchmark-histogram needs {' and '.join(lacking)}: pip install 'pytest-benchmark[histogram]'"
        )


def fill_outputs(config: pytest.Config, items: Iterable[pytest.Item], outcome: Outcome | None) -> None:
    """Pass head's samples to pytest-benchmark if it was asked to process them.

    Args:
        config: pytest's config.
        items: The benchmarks that were compared.
        outcome: The result of lockstep; None if nothing was measured.
    """
    theirs: Any = getattr(config, "_benchmarksession", None)
    if theirs is None or outcome is None or not has_outputs(config):
        return
    measured = {
        item.nodeid: (item, outcome.tallies[item.nodeid])
        for item in items
        if item.nodeid in outcome.tallies and _has_times(outcome.tallies[item.nodeid])
    }
    # A test that requested the fixture at run time has already left figures as a functional test.
    at_run_time = {stats.fullname for stats in theirs.benchmarks}
    theirs.benchmarks[:] = [stats for stats in theirs.benchmarks if stats.fullname not in measured]
    for name, (item, tally) in measured.items():
        if name in at_run_time or "benchmark" in getattr(item, "fixturenames", ()):
            _add(theirs, item, tally)


def _has_times(tally: Tally) -> bool:
    return (
        tally.state not in {"skipped", "error"} and TIME.name in tally.metrics and bool(tally.metrics[TIME.name].head)
    )


def _add(theirs: Any, item: pytest.Item, tally: Tally) -> None:
    """Create and fill the object that pytest-benchmark's fixture would have created."""
    from pytest_benchmark.fixture import BenchmarkFixture
    from pytest_benchmark.utils import NameWrapper

    known = {name: value for name, value in asked_of(item).items() if name in theirs.options}
    if "timer" in known:
        known["timer"] = NameWrapper(known["timer"])
    fixture = BenchmarkFixture(
        item,
        add_stats=theirs.benchmarks.append,
        logger=theirs.logger,
        warner=item.warn,
        disabled=False,
        group=tally.group,
        **(theirs.options | known),
    )
    fixture.extra_info.update(tally.extra_info)
    times = tally.metrics[TIME.name]
    stats = fixture._make_stats(times.iterations)  # noqa: SLF001
    for seconds in times.head:
        stats.update(seconds * times.iterations)
