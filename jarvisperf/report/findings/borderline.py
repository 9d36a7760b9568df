"""Recognizes changes that are known precisely and lie right at their threshold: neither over it nor undecided."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jarvisperf.report.findings.model import MetricFinding

AT_THRESHOLD = "at threshold"
WIDEST_SHARE = 0.3  # of the threshold: with a wider interval, the change itself is not known


def is_at_threshold(metric: MetricFinding) -> bool:
    """Return whether a metric is inconclusive only because its change, known precisely, lies at the threshold.

    The interval contains one end of the threshold band, does not contain 1, and is narrow. Measuring more would add a
    digit to the change, but nothing that matters.
    """
    if metric.verdict != "inconclusive" or metric.doubt is not None:
        return False
    if metric.interval is None or metric.threshold is None:
        return False
    low, high = metric.interval
    is_precise = high - low <= WIDEST_SHARE * metric.threshold and not low <= 1 <= high
    return is_precise and any(low <= 1 + end <= high for end in (metric.threshold, -metric.threshold))


def shown_verdict(metric: MetricFinding) -> str:
    """Return the verdict as reports show it: ``at threshold`` for such a change."""
    return AT_THRESHOLD if is_at_threshold(metric) else metric.verdict
