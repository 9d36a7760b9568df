"""pytest-benchmark's own outputs in lockstep: its session gets head's figures, and writes and compares them itself."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest

from pytest_jarvisperf.bridges.marker import asked_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jarvisperf.gate.lockstep.model import Outcome
    from jarvisperf.gate.lockstep.tally import Tally

OUTPUT_OPTIONS = (
    "benchmark_save",
    "benchmark_autosave",
    "benchmark_json",
    "benchmark_compare",
    "benchmark_compare_fail",
    "benchmark_histogram",
)
DRAWS_WITH = ("pygal", "pygaljs")
PROFILE_OPTIONS = ("benchmark_cprofile", "benchmark_cprofile_dump")


def has_outputs(config: pytest.Config) -> bool:
    """Tell whether pytest-benchmark was told to write, to show or to compare something."""
    return any(config.getoption(name, None) for name in OUTPUT_OPTIONS)


def refuse_what_would_fail(config: pytest.Config) -> None:
    """Refuse what pytest-benchmark cannot do where it does not measure itself, or only after everything was measured.

    Raises:
        pytest.UsageError: It was told to profile, or to draw without a package that it draws with; the message says
            what to write or install instead.
    """
    for name in PROFILE_OPTIONS:
        if config.getoption(name, None):
            raise pytest.UsageError(
                f"--{name.replace('_', '-')} and --jarvis-bench exclude each other; "
                "give --jarvis-profile --jarvis-profile-engine=cprofile"
            )
    lacking = [name for name in DRAWS_WITH if importlib.util.find_spec(name) is None]
    if lacking and config.getoption("benchmark_histogram", None):
        raise pytest.UsageError(
            f"--benchmark-histogram needs {' and '.join(lacking)}: pip install 'pytest-benchmark[histogram]'"
        )


def fill_outputs(config: pytest.Config, items: Iterable[pytest.Item], outcome: Outcome | None) -> None:
    """Hand pytest-benchmark the head's samples of its benchmarks, if it has anything to do with them.

    Args:
        config: pytest's.
        items: The benchmarks that were compared.
        outcome: What lockstep brought; None: nothing.
    """
    theirs: Any = getattr(config, "_benchmarksession", None)
    if theirs is None or outcome is None or not has_outputs(config):
        return
    measured = {
        item.nodeid: (item, outcome.tallies[item.nodeid])
        for item in items
        if item.nodeid in outcome.tallies and _has_times(outcome.tallies[item.nodeid])
    }
    # A test that asked for the fixture at run time has left figures of its run as a functional test.
    at_run_time = {stats.fullname for stats in theirs.benchmarks}
    theirs.benchmarks[:] = [stats for stats in theirs.benchmarks if stats.fullname not in measured]
    for name, (item, tally) in measured.items():
        if name in at_run_time or "benchmark" in getattr(item, "fixturenames", ()):
            _add(theirs, item, tally)


def _has_times(tally: Tally) -> bool:
    return tally.state not in {"skipped", "error"} and "time" in tally.metrics and bool(tally.metrics["time"].head)


def _add(theirs: Any, item: pytest.Item, tally: Tally) -> None:
    """Make the object that pytest-benchmark's fixture would have made, and fill it."""
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
    times = tally.metrics["time"]
    stats = fixture._make_stats(times.iterations)  # noqa: SLF001
    for seconds in times.head:
        stats.update(seconds * times.iterations)
