"""The findings of a lockstep comparison."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from jarvisperf.gate.verdict.bounded import ratio_of
from jarvisperf.measure.metrics.time import CLOCK, TIME
from jarvisperf.report.findings.model import (
    BeforeAfter,
    BenchmarkFinding,
    LaunchFinding,
    MetricFinding,
    expected_to_fail,
    held_to_limits,
    in_json,
    interval_in_json,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jarvisperf.gate.lockstep.tally import MetricTally, Tally
    from jarvisperf.report.findings.model import Verdict

_PLACE = re.compile(r" \([^()]*[/\\][^()]*\)$")  # where an import failed: a folder that is gone when this is read
LEFT_OUT = "nothing it executes, reads or imports has changed"
ABSENT = "base does not have it"
DOUBT = "identical code differed in this run or could not be measured, so its figures decide nothing"


def benchmark_finding(
    name: str,
    group: str | None,
    params: dict[str, str],
    tally: Tally,
    thresholds: Mapping[str, float],
    limits: Mapping[str, float],
    before: str | None = None,
) -> BenchmarkFinding:
    """Describe one benchmark.

    Args:
        name: Its id.
        group: Its group.
        params: Its parameters.
        tally: The results of the launches.
        thresholds: How much worse each metric may get, as a share.
        limits: Absolute limits in the metric's unit.
        before: The id of its uncached or naive counterpart.
    """
    failed = tally.state == "error"
    metrics = (
        {}
        if failed
        else {
            metric: _metric(found, tally, thresholds.get(metric, math.inf)) for metric, found in tally.metrics.items()
        }
    )
    return BenchmarkFinding(
        id=name,
        group=group,
        params=params,
        metrics=held_to_limits(metrics, limits),
        before=BeforeAfter(before) if before else None,
        extra_info=tally.extra_info,
        error=(tally.message or "no figures") if failed else None,
        notes=tuple(tally.notes),
        skipped=_why_skipped(tally) if tally.state == "skipped" else None,
        new_because=_why_new(tally.message) if tally.state == "new" else None,
    )


def _why_skipped(tally: Tally) -> str:
    """Explain why nothing was measured; a test that failed as expected counts as skipped, as in pytest."""
    if tally.xfail is not None:
        return expected_to_fail(tally.xfail)
    return tally.message or "no reason given"


def _why_new(message: str) -> str | None:
    """Explain why a benchmark is new, unless base simply does not have it."""
    reason = message.removeprefix("new: ")
    if reason == ABSENT:
        return None
    if reason.startswith(("base ", "it ")):
        return reason
    return f"base lacks what it uses ({_PLACE.sub('', reason)})"


def missing_finding(name: str) -> BenchmarkFinding:
    """Describe a benchmark that exists in base but not in head."""
    nothing = MetricFinding(
        unit=TIME.unit.symbol,
        better=TIME.better,
        method=CLOCK,
        base=None,
        head=None,
        ratio=None,
        interval=None,
        threshold=None,
        verdict="missing",
    )
    return BenchmarkFinding(id=name, group=None, params={}, metrics={TIME.name: nothing})


def left_out_finding(name: str, group: str | None, params: dict[str, str], before: str | None) -> BenchmarkFinding:
    """Describe a benchmark that the change cannot have affected.

    Args:
        name: Its id.
        group: Its group.
        params: Its parameters.
        before: The id of its uncached or naive counterpart.
    """
    return BenchmarkFinding(
        id=name,
        group=group,
        params=params,
        metrics={},
        before=BeforeAfter(before) if before else None,
        left_out=LEFT_OUT,
    )


def _metric(found: MetricTally, tally: Tally, threshold: float) -> MetricFinding:
    judgement = found.judgement if tally.state == "decided" else None
    verdict: Verdict = "new" if judgement is None else judgement.verdict
    return MetricFinding(
        unit=found.kind.unit.symbol,
        better=found.kind.better,
        method=f"{found.method}, lockstep",
        base=found.kind.summary(found.base, found.iterations) if judgement else None,
        head=found.kind.summary(found.head, found.iterations),
        ratio=in_json(judgement.ratio) if judgement else None,
        interval=interval_in_json(judgement.interval) if judgement else None,
        threshold=threshold if judgement and math.isfinite(threshold) else None,
        verdict=verdict,
        via="lockstep" if judgement else None,
        doubt=DOUBT if judgement and judgement.doubted and verdict == "inconclusive" else None,
        launches=tuple(
            LaunchFinding(_short(launch.base), _short(launch.head), _short(ratio_of(launch.log_ratio)))
            for launch in found.launches
        )
        if judgement
        else (),
        witness=found.witness if judgement else None,
    )


def _short(value: float) -> float:
    """Round to five significant digits, enough to draw a dot; launches are many."""
    return in_json(float(f"{value:.5g}"))
