"""The second witness: what instruction counts say where time cannot tell.

Both arms count on the same machine with equal seeds, so for deterministic code any difference is real. Equal counts
settle what time leaves inconclusive, unless time itself shows a difference, or the target waits: instructions see
neither a cache miss nor a lock.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.gate.lockstep.tally import EQUAL_COUNTS, Witness
from jarvisperf.gate.verdict.bounded import ratio_of
from jarvisperf.measure.metrics import TIME
from jarvisperf.measure.metrics.instructions import INSTRUCTIONS
from jarvisperf.measure.metrics.time import CLOCK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jarvisperf.gate.lockstep.tally import MetricTally, Tally
    from jarvisperf.gate.processes.workers import ArmPlace
    from jarvisperf.measure.metrics.instruction_counters import CountingWay

LAUNCHES = 4  # seeds; as many as the first look of a metric needs
MOST_BENCHMARKS = 20
MOST_SECONDS = 60.0  # after that, no further launch counts instructions


def counting_place(place: ArmPlace, way: CountingWay) -> ArmPlace:
    """Return an arm's environment in which its instructions can be counted."""
    return msgspec.structs.replace(place, env={**place.env, **way.variables})


def to_witness(tallies: Mapping[str, Tally], *, trusted: bool) -> list[str]:
    """Return the benchmarks whose instructions are to be counted, at most 20.

    Args:
        tallies: The run's results, by id.
        trusted: Whether the control showed no difference; otherwise regressions are counted, too.
    """
    wanted = {"inconclusive"} if trusted else {"inconclusive", "regressed"}
    found = [
        name
        for name, tally in tallies.items()
        if tally.state == "decided"
        and (time := tally.metrics.get(TIME.name)) is not None
        and time.judgement is not None
        and time.judgement.verdict in wanted
    ]
    return found[:MOST_BENCHMARKS]


def to_count_again(names: Sequence[str], counted: Mapping[str, Tally]) -> list[str]:
    """Return the benchmarks that further launches can still settle: those whose counts have been equal so far.

    Args:
        names: The benchmarks that the last launches counted.
        counted: The results of all launches that counted.
    """
    return [name for name in names if counted[name].state == "open" and _equal_so_far(counted[name])]


def add_testimony(tally: Tally, counted: Tally) -> None:
    """Add the counts to a benchmark, and settle its verdict if they are equal and time does not contradict.

    Args:
        tally: The benchmark.
        counted: The results of the launches that counted.
    """
    time, found = tally.metrics[TIME.name], counted.metrics.get(INSTRUCTIONS.name)
    if found is None or not found.log_ratios or time.judgement is None:
        return
    if _equal_so_far(counted) and len(found.log_ratios) < LAUNCHES:
        return
    witness = Witness(
        base=statistics.median(one.base for one in found.launches),
        head=statistics.median(one.head for one in found.launches),
        ratio=ratio_of(statistics.median(found.log_ratios)),
        lowest=ratio_of(min(found.log_ratios)),
        highest=ratio_of(max(found.log_ratios)),
        launches=len(found.log_ratios),
        method=found.method,
    )
    if witness.is_equal and time.judgement.verdict == "inconclusive" and not _contradicts(time):
        witness = msgspec.structs.replace(witness, settles=True)
        time.judgement = msgspec.structs.replace(time.judgement, verdict="unchanged", doubted=False)
    time.witness = witness


def _equal_so_far(counted: Tally) -> bool:
    found = counted.metrics.get(INSTRUCTIONS.name)
    return found is None or all(abs(ratio) <= EQUAL_COUNTS for ratio in found.log_ratios)


def _contradicts(time: MetricTally) -> bool:
    """Return whether the target waits, or time shows a difference, which instructions do not see."""
    if time.method == CLOCK or time.judgement is None:
        return True
    low, high = time.judgement.sure_interval
    return not (time.judgement.doubted or low <= 1 <= high)
