"""Measures the pairs of a run in turns: both benchmarks in fresh pairs of processes, slice by slice.

The benchmarks of a run are measured one after the other, and meanwhile the machine's speed changes. So the ratio of a
pair comes from a second measurement, the same way as a comparison in lockstep, except that both workers run the same
code: one the benchmark, the other its counterpart.
"""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.forks import NO_LOCKSTEP, can_fork
from jarvisperf.measure.metrics import SECONDS
from pytest_jarvisperf.state import state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pytest

    from jarvisperf.gate.lockstep.model import Campaign, Outcome, Progress
    from jarvisperf.report.findings.pairs import MeasuredPairs
    from pytest_jarvisperf.measuring.record import BenchmarkRecord
    from pytest_jarvisperf.options import Options

SMALLEST_DIFFERENCE = 0.02  # a copy of a module differed from it by 1.2 % on average, because of its place in memory
MOST_CALL_SECONDS = 0.5  # of one call of each side together: each launch makes some twenty of them
MOST_WATCHED_SECONDS = 3.0  # the same with a profiler of memory, which takes its time: four launches decide such a pair
MOST_PAIR_LAUNCHES = 8  # the second look of gate.verdict; what it leaves open differs by little, if at all


class PairSession:
    """Measures the pairs of one run.

    Args:
        config: pytest's config.
        options: This plugin's options.
        show: Shows how far it is, in one line.
    """

    def __init__(self, config: pytest.Config, options: Options, show: Callable[[str], None]) -> None:
        self._config = config
        self._options = options
        self._show = show

    def measure(self, items: Sequence[pytest.Item], records: Mapping[str, BenchmarkRecord]) -> MeasuredPairs | None:
        """Measure every pair of which both sides have figures.

        Args:
            items: The benchmarks of the run.
            records: Their records, by id; the time that this takes is added to those of the pairs.

        Returns:
            What is known about the pairs; None if the run has none.
        """
        from jarvisperf.report.findings.pairs import MeasuredPairs

        twins = {
            name: record.before
            for name, record in records.items()
            if record.before is not None and _shared_metrics(record, records.get(record.before))
        }
        if not twins:
            return None
        single = {
            name: f"one call of each takes {seconds:.3g} s"
            for name, before in twins.items()
            if (seconds := _too_long(records[name], records[before])) is not None
        }
        chosen = {name: before for name, before in twins.items() if name not in single}
        if not chosen:
            return MeasuredPairs(single=single)
        try:
            outcome = self._compare(items, chosen)
        except _NotPossibleError as error:
            return MeasuredPairs(single=single, failed=dict.fromkeys(chosen, str(error)))
        tallies = outcome.tallies
        for name in chosen:
            records[name].total_seconds += outcome.seconds / len(chosen)
        return MeasuredPairs(
            in_turns={name: tally.metrics for name, tally in tallies.items() if tally.state == "decided"},
            single=single,
            failed={
                name: _in_own_words(tally.message, twins[name])
                for name, tally in tallies.items()
                if tally.state != "decided"
            },
        )

    def _compare(self, items: Sequence[pytest.Item], twins: Mapping[str, str]) -> Outcome:
        if not can_fork():
            raise _NotPossibleError(NO_LOCKSTEP)
        from jarvisperf.gate.arms.git import GitError
        from jarvisperf.gate.lockstep.campaign import Lockstep
        from jarvisperf.gate.lockstep.model import LockstepError
        from jarvisperf.gate.processes.workers import WorkerError

        wanted = {*twins, *twins.values()}
        chosen = [item for item in items if item.nodeid in wanted]
        with tempfile.TemporaryDirectory(prefix="jarvisperf-pairs-") as folder:
            try:
                return Lockstep(self._campaign(chosen, twins, Path(folder)), self._tell).run()
            except (GitError, LockstepError, WorkerError, OSError) as error:
                raise _NotPossibleError(str(error).partition("\n")[0]) from error

    def _campaign(self, items: Sequence[pytest.Item], twins: Mapping[str, str], folder: Path) -> Campaign:
        from jarvisperf.gate.lockstep.model import Campaign
        from pytest_jarvisperf.arms.arguments import ENTRY, orders, own_budgets, preloaded
        from pytest_jarvisperf.arms.paths import ArmPaths
        from pytest_jarvisperf.pairs.working_tree import working_tree

        config, options = self._config, self._options
        paths = ArmPaths(config, config.rootpath)
        metrics = state_of(config).metrics
        base, head = working_tree(config, "base"), working_tree(config, "head")
        return Campaign(
            ids=tuple(item.nodeid for item in items if item.nodeid in twins),
            base=base,
            head=head,
            same=base,
            entry=ENTRY,
            args=orders(config, options, items, paths, repository=config.rootpath) | {"one_seed": True},
            thresholds={name: dict.fromkeys(metrics.thresholds, SMALLEST_DIFFERENCE) for name in twins},
            budget_seconds=options.budget_seconds,
            budgets=own_budgets(items),
            preload=preloaded(),
            most_launches=min(options.launches, MOST_PAIR_LAUNCHES),
            seed=secrets.randbelow(1 << 20) * 1_000,
            folder=folder,
            metrics=metrics,
            twins=dict(twins),
            has_control=False,
        )

    def _tell(self, progress: Progress) -> None:
        self._show(f"pairs, launch {progress.launch}: {progress.undecided} of {progress.total} undecided")


def _in_own_words(message: str, before: str) -> str:
    """Explain why a pair was not measured, without the words of a comparison of two versions."""
    if message.startswith("base: "):
        return f"{before}: {message.removeprefix('base: ')}"
    return message.removeprefix("head: ") or "it could not be measured again"


class _NotPossibleError(Exception):
    """Pairs cannot be measured in turns here; the message says why."""


def _shared_metrics(after: BenchmarkRecord, before: BenchmarkRecord | None) -> set[str]:
    """Return the metrics that both sides have; none if one of them failed."""
    if before is None or after.error or before.error:
        return set()
    return set(after.metrics) & set(before.metrics)


def _too_long(after: BenchmarkRecord, before: BenchmarkRecord) -> float | None:
    """Return roughly how many seconds one call of each takes, if that is too long to repeat; otherwise None."""
    timed = [_timed_seconds(after), _timed_seconds(before)]
    if any(timed):
        seconds, most = sum(timed), MOST_CALL_SECONDS
    else:
        seconds, most = after.call_seconds + before.call_seconds, MOST_WATCHED_SECONDS
    return seconds if seconds > most else None


def _timed_seconds(record: BenchmarkRecord) -> float:
    timed = (metric.summary.median for metric in record.metrics.values() if metric.unit == SECONDS.symbol)
    return max(timed, default=0.0)
