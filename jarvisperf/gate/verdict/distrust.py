"""What still counts in a run whose control showed a difference between identical code, or failed.

The control compares time, so it calls into question every verdict that rests on seconds: `time` and `startup`. Bytes of
memory stand as they are. `unchanged` and `improved` become inconclusive, because the machine may have hidden a slowdown
or made one up on the other side; `regressed` counts only where a second, fresh set of launches says so too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from jarvisperf.gate.lockstep.tally import MetricTally, Tally


def to_confirm(tallies: Mapping[str, Tally]) -> list[str]:
    """Name the benchmarks whose regression must be measured again."""
    return [name for name, tally in tallies.items() if any(_regressed(metric) for _, metric in _in_seconds(tally))]


def confirmed_by(again: Mapping[str, Tally]) -> set[tuple[str, str]]:
    """Tell which benchmark and metric regressed in the second set of launches, too."""
    return {
        (name, metric) for name, tally in again.items() for metric, found in _in_seconds(tally) if _regressed(found)
    }


def take_back(tallies: Mapping[str, Tally], confirmed: Collection[tuple[str, str]] = ()) -> None:
    """Make inconclusive what the control calls into question.

    Args:
        tallies: What the run found, by id.
        confirmed: The regressions that were measured twice, by id and metric.
    """
    for name, tally in tallies.items():
        for metric, found in _in_seconds(tally):
            holds = _regressed(found) and (name, metric) in confirmed
            if found.judgement is not None and found.judgement.verdict != "inconclusive" and not holds:
                found.judgement = msgspec.structs.replace(found.judgement, verdict="inconclusive", doubted=True)


def _in_seconds(tally: Tally) -> Iterator[tuple[str, MetricTally]]:
    return ((name, metric) for name, metric in tally.metrics.items() if metric.unit == "s")


def _regressed(metric: MetricTally) -> bool:
    return metric.judgement is not None and metric.judgement.verdict == "regressed"
