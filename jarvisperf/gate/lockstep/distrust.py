"""Decides which verdicts still count if the control showed a difference between identical code, or failed.

The control compares time, so it casts doubt on every metric that depends on the speed of the machine, such as `time`
and `startup`. Bytes of memory are unaffected. `unchanged` and `improved` become inconclusive, because the machine may
have hidden or mimicked a slowdown; `regressed` counts only if a second, fresh set of launches confirms it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from jarvisperf.gate.lockstep.tally import MetricTally, Tally


def to_confirm(tallies: Mapping[str, Tally]) -> list[str]:
    """Return the benchmarks whose regressions must be measured again."""
    return [name for name, tally in tallies.items() if any(_regressed(metric) for _, metric in _doubtful(tally))]


def confirmed_by(again: Mapping[str, Tally]) -> set[tuple[str, str]]:
    """Return the benchmarks and metrics that also regressed in the second set of launches."""
    return {(name, metric) for name, tally in again.items() for metric, found in _doubtful(tally) if _regressed(found)}


def take_back(tallies: Mapping[str, Tally], confirmed: Collection[tuple[str, str]] = ()) -> None:
    """Make verdicts that the control casts doubt on inconclusive.

    Args:
        tallies: The run's results, by id.
        confirmed: The regressions that were confirmed, by id and metric.
    """
    for name, tally in tallies.items():
        for metric, found in _doubtful(tally):
            holds = _regressed(found) and (name, metric) in confirmed
            if found.judgement is not None and found.judgement.verdict != "inconclusive" and not holds:
                found.judgement = msgspec.structs.replace(found.judgement, verdict="inconclusive", doubted=True)


def _doubtful(tally: Tally) -> Iterator[tuple[str, MetricTally]]:
    return ((name, metric) for name, metric in tally.metrics.items() if metric.kind.follows_machine)


def _regressed(metric: MetricTally) -> bool:
    return metric.judgement is not None and metric.judgement.verdict == "regressed"
