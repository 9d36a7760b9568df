"""Announces how long measuring takes, before it begins and while it runs, from how long it took last time."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from pytest_jarvisperf.markers.jarvis import read_bench_marker
from pytest_jarvisperf.measuring.stash_keys import record_key, split_key
from pytest_jarvisperf.pairs.measuring import MOST_PAIR_LAUNCHES
from pytest_jarvisperf.sessions.progress import Countdown, LongCalls, ProgressLine, precise_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from jarvisperf.runs.shard import Shard, Split
    from pytest_jarvisperf.measuring.harness import MeasuringHarness
    from pytest_jarvisperf.options import Options


CACHE_KEY = "jarvisperf/seconds"
MOST_SHOWN = 12  # parts of a suite; of more, the shortest and longest are shown
MOST_KEPT = 20_000  # those measured longest ago are dropped first


class Announcement:
    """The plugin object that announces and counts down.

    Args:
        config: pytest's config.
        options: This plugin's options.
        harness: Measures the targets; reports calls that take longer than their budget.
        measures_here: Returns whether benchmarks are measured in this process, not in the arms of lockstep.
    """

    def __init__(
        self, config: pytest.Config, options: Options, harness: MeasuringHarness, measures_here: Callable[[], bool]
    ) -> None:
        self._config = config
        self._options = options
        self._harness = harness
        self._measures_here = measures_here
        self._progress = ProgressLine(config)
        self._last_seconds = LastSeconds(config, options.budget_seconds)
        self._countdown: Countdown | None = None
        self._long_calls: LongCalls | None = None

    def pytest_report_header(self) -> str:
        """Announce that this run measures, and for how long."""
        return f"jarvisperf: measuring, {self._options.budget_seconds:g} s per benchmark"

    def pytest_report_collectionfinish(self, items: list[pytest.Item]) -> list[str]:
        """Announce how long measuring takes; in lockstep, the maximum and the number of process pairs to start."""
        found = [self._duration(items)]
        split = self._config.stash.get(split_key, None)
        if split is not None and self._options.shard is not None:
            found.append(f"jarvisperf: {split_line(self._options.shard, split, self._options.store)}")
        return [line for line in found if line]

    def _duration(self, items: list[pytest.Item]) -> str:
        benchmarks = _benchmarks(items)
        if not benchmarks:
            return ""
        count = f"{len(benchmarks)} benchmark{'' if len(benchmarks) == 1 else 's'}"
        if self._measures_here():
            seconds = sum(map(self._last_seconds.expected, benchmarks))
            return f"jarvisperf: {count}, about {precise_duration(seconds)} of measuring{self._pairs(benchmarks)}"
        seconds = sum(map(self._last_seconds.budget, benchmarks))
        return (
            f"jarvisperf: {count}, at most {precise_duration(seconds)} of measuring and the start of "
            f"{self._options.launches} pairs of processes"
        )

    def _pairs(self, benchmarks: list[pytest.Item]) -> str:
        """Announce how long pairs take, which are measured again in turns if nothing is compared."""
        pairs = [item for item in benchmarks if item.stash[record_key].before is not None]
        if not pairs or self._options.compare is not None:
            return ""
        count = f"{len(pairs)} pair{'' if len(pairs) == 1 else 's'}"
        seconds = sum(map(self._last_seconds.budget, pairs))
        launches = min(self._options.launches, MOST_PAIR_LAUNCHES)
        return f"; then {count} in turns, at most {precise_duration(seconds)} and {launches} launches"

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Show which benchmark runs and how long the rest takes; setup may take longer than the measuring."""
        if record_key not in item.stash:
            return (yield)
        if self._countdown is None:
            benchmarks = _benchmarks(item.session.items)
            self._countdown = Countdown({one.nodeid: self._last_seconds.expected(one) for one in benchmarks})
            budgets = {one.nodeid: self._last_seconds.budget(one) for one in benchmarks}
            self._long_calls = LongCalls(
                self._config, lambda name: budgets.get(name, self._options.budget_seconds), self._progress
            )
            self._harness.tell_long = self._tell_long_call
            self._harness.tell_rounds = self._tell_rounds
        self._progress.show(self._countdown.begin(item.nodeid))
        return (yield from self._to_progress(item, ends=False))

    def _tell_long_call(self, name: str, call_seconds: float, least_seconds: float) -> None:
        """Report that a call takes longer than its budget, and adjust the estimate."""
        if self._long_calls is not None and self._countdown is not None:
            self._long_calls.tell(name, call_seconds, least_seconds)
            self._progress.show(self._countdown.replan(name, least_seconds))

    def _tell_rounds(self, name: str, seconds: float) -> None:
        """Adjust the estimate for the rounds that a test declares, whatever its budget."""
        if self._countdown is not None:
            self._progress.show(self._countdown.replan(name, seconds))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Remove the progress line before pytest writes how the test ended."""
        return (yield from self._to_progress(item, ends=True))

    def _to_progress(self, item: pytest.Item, *, ends: bool) -> Generator[None, object, object]:
        """Run a phase of a test; remove the progress line if the phase is the last one or fails."""
        passed = False
        try:
            result = yield
            passed = True
        finally:
            if self._countdown is not None and (ends or not passed):
                self._progress.clear()
                self._countdown.end(item.nodeid, measured=passed)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Remember how long the benchmarks took."""
        if self._countdown is not None and self._measures_here():
            self._last_seconds.keep(self._countdown.taken)


def split_line(shard: Shard, split: Split, where: str) -> str:
    """Say in one line how the suite was cut into parts.

    Args:
        shard: This part.
        split: All parts.
        where: The store.
    """
    if split.source is None:
        return f"part {shard}, dealt out in turns: no run in {where} says how long these benchmarks take"
    shown = [f"{number}/{shard.of} {precise_duration(one)}" for number, one in enumerate(split.seconds, 1)]
    if len(shown) > MOST_SHOWN:
        shortest, longest = (precise_duration(one) for one in (min(split.seconds), max(split.seconds)))
        shown = [f"{shortest} to {longest} each"]
    return f"part {shard}, balanced by how long benchmarks took in {split.source}: expected {', '.join(shown)}"


def _benchmarks(items: list[pytest.Item]) -> list[pytest.Item]:
    return [item for item in items if record_key in item.stash]


class LastSeconds:
    """Remembers how long benchmarks took, from the start of a test's setup to the end of its call.

    That includes rounds declared by the test (``pedantic(rounds=…)``), its fixtures, and calls longer than the budget.
    A figure is used only for the same settings.

    Args:
        config: pytest's config; without its cache (``-p no:cacheprovider``) nothing is remembered.
        budget_seconds: Measuring time of benchmarks whose marker names none.
    """

    def __init__(self, config: pytest.Config, budget_seconds: float) -> None:
        self._cache: Any = getattr(config, "cache", None)
        self._budget_seconds = budget_seconds
        self._settings: dict[str, str] = {}
        self._known: dict[str, tuple[str, float]] | None = None

    def budget(self, item: pytest.Item) -> float:
        """Return a benchmark's measuring time in seconds."""
        return read_bench_marker(item).budget_seconds or self._budget_seconds

    def expected(self, item: pytest.Item) -> float:
        """Return the seconds that a benchmark will probably take: its last duration, otherwise its budget."""
        budget = self.budget(item)
        settings = f"{budget:g} s{'' if item.stash[record_key].profile_request is None else ', profiled'}"
        self._settings[item.nodeid] = settings
        known, seconds = self._read().get(item.nodeid, ("", 0.0))
        return seconds if known == settings else budget

    def keep(self, seconds: Mapping[str, float]) -> None:
        """Remember how many seconds benchmarks took, by id."""
        if self._cache is None or not seconds:
            return
        known = self._read()
        for name, value in seconds.items():
            known.pop(name, None)
            known[name] = (self._settings[name], value)
        newest = list(known.items())[-MOST_KEPT:]
        with warnings.catch_warnings():
            # pytest warns about a folder that it cannot write to; a project's filters could turn that into an error,
            # which would cost the report.
            warnings.simplefilter("ignore", pytest.PytestCacheWarning)
            self._cache.set(CACHE_KEY, {name: [settings, round(value, 4)] for name, (settings, value) in newest})

    def _read(self) -> dict[str, tuple[str, float]]:
        if self._known is None:
            self._known = _checked(None if self._cache is None else self._cache.get(CACHE_KEY, None))
        return self._known


def _checked(kept: object) -> dict[str, tuple[str, float]]:
    """Return the cached entries that have the form of this version."""
    if not isinstance(kept, dict):
        return {}
    return {
        name: (settings, seconds)
        for name, pair in kept.items()
        if isinstance(pair, list) and len(pair) == len(("settings", "seconds"))
        for settings, seconds in [pair]
        if isinstance(settings, str) and isinstance(seconds, int | float) and 0 <= seconds < math.inf
    }
