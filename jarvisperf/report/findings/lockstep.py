"""What lockstep found, as the report says it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jarvisperf.report.findings.model import BeforeAfter, BenchmarkFinding, MetricFinding
from jarvisperf.report.shared import units
from jarvisperf.report.shared.json_numbers import in_json, interval_in_json
from jarvisperf.runs.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jarvisperf.gate.lockstep.tally import MetricTally, Tally
    from jarvisperf.report.findings.model import Verdict

DOUBT = "identical code differed in this run or could not be measured, so its figures decide nothing"
METHODS = {"time": "perf_counter", "startup": "whole process", "memory": "peak"}


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
        tally: What the launches brought.
        thresholds: How much worse each metric may get, as a share.
        limits: What a metric may never exceed, in seconds or bytes.
        before: The id of its uncached or naive twin.
    """
    failed = tally.state == "error"
    metrics = (
        {}
        if failed
        else {
            metric: _metric(metric, found, tally, thresholds.get(metric, math.inf), limits.get(metric, math.inf))
            for metric, found in tally.metrics.items()
        }
    )
    return BenchmarkFinding(
        id=name,
        group=group,
        params=params,
        metrics=metrics,
        before=BeforeAfter(before) if before else None,
        extra_info=tally.extra_info,
        error=(tally.message or "no figures") if failed else None,
    )


def missing_finding(name: str) -> BenchmarkFinding:
    """Describe a benchmark that exists in base but not in head."""
    nothing = MetricFinding(
        unit="s",
        better="lower",
        method=METHODS["time"],
        base=None,
        head=None,
        ratio=None,
        interval=None,
        threshold=None,
        verdict="missing",
    )
    return BenchmarkFinding(id=name, group=None, params={}, metrics={"time": nothing})


def _metric(name: str, found: MetricTally, tally: Tally, threshold: float, limit: float) -> MetricFinding:
    judgement = found.judgement if tally.state == "decided" else None
    head = summarize(found.head, found.iterations)
    verdict: Verdict = "new" if judgement is None else judgement.verdict
    if head.median > limit:
        verdict = "regressed"
    return MetricFinding(
        unit=found.unit,
        better="lower",
        method=f"{found.method or METHODS[name]}, lockstep",
        base=summarize(found.base, found.iterations) if judgement else None,
        head=head,
        ratio=in_json(judgement.ratio) if judgement else None,
        interval=interval_in_json(judgement.interval) if judgement else None,
        threshold=threshold if judgement and math.isfinite(threshold) else None,
        verdict=verdict,
        via="lockstep" if judgement else None,
        doubt=DOUBT if judgement and judgement.doubted and verdict == "inconclusive" else None,
    )


def over_limit(metric: MetricFinding, limit: float) -> bool:
    """Tell whether a metric exceeds its absolute limit."""
    return metric.head is not None and metric.head.median > limit


def figures(name: str, metric: MetricFinding, limit: float | None = None) -> str:
    """Say in one line what was found of a metric: base, head, ratio, interval, threshold."""
    head = units.quantity(metric.head.median, metric.unit) if metric.head else "-"
    words = []
    if metric.base is not None and metric.ratio is not None and metric.interval is not None:
        threshold = "no threshold" if metric.threshold is None else f"threshold {metric.threshold * 100:.3g}%"
        words.append(
            f"base {units.quantity(metric.base.median, metric.unit)}, head {head}, "
            f"ratio {units.ratio(metric.ratio)} (95% interval {units.interval(metric.interval)}), {threshold}"
        )
    if limit is not None and over_limit(metric, limit):
        words.append(f"head {head} is over the limit of {units.quantity(limit, metric.unit)}")
    if metric.doubt is not None:
        words.append(metric.doubt)
    return f"{name} {metric.verdict}: {'; '.join(words)}"
