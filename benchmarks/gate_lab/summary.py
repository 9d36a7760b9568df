"""Counts: false alarms, detections, inconclusive verdicts, coverage, bias, seconds."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.gate_lab.results import Comparison

ALARMS = ("regressed", "improved")
BOUND_CONFIDENCE = 0.95


class FactorCount(msgspec.Struct, frozen=True):
    """The verdicts on functions of one factor.

    Attributes:
        factor: Head's work divided by base's.
        total: The number of functions.
        verdicts: The number of each verdict.
        right: The number of right verdicts.
    """

    factor: float
    total: int
    verdicts: dict[str, int]
    right: int


class ToolSummary(msgspec.Struct, frozen=True):
    """The results of one tool, with or without a noisy neighbour.

    Attributes:
        tool: Its name, and pytest-benchmark's statistic.
        neighbour: Whether all cores were kept busy by other processes.
        suites: The number of suites.
        factors: The verdicts by factor.
        false_alarms: `regressed` or `improved` where the factor is 1.
        equal: The number of functions with factor 1.
        false_alarm_bound: Upper bound of the share of false alarms, with 95 % confidence.
        inconclusive_equal: Share of inconclusive verdicts where the factor is 1.
        inconclusive: Share of inconclusive verdicts.
        coverage: Share of intervals that contain the true ratio; None without intervals.
        bias: Mean of log(ratio found / true ratio).
        spread: Root mean square of the same.
        seconds_per_suite: Their median.
        untrusted: Suites whose control showed a difference.
        errors: Functions without a verdict.
    """

    tool: str
    neighbour: bool
    suites: int
    factors: tuple[FactorCount, ...]
    false_alarms: int
    equal: int
    false_alarm_bound: float | None
    inconclusive_equal: float | None
    inconclusive: float
    coverage: float | None
    bias: float | None
    spread: float | None
    seconds_per_suite: float
    untrusted: int
    errors: int


class KindSummary(msgspec.Struct, frozen=True):
    """How well one kind of work is measured.

    Attributes:
        kind: Its name.
        total: The number of comparisons.
        errors_found: log(ratio found / true ratio), sorted.
        coverage: Share of intervals that contain the true ratio.
        inconclusive: Share of inconclusive verdicts.
        half_width: Median of the intervals' half widths, as logarithms.
        factors: The verdicts by factor; none in evidence from before they were recorded.
    """

    kind: str
    total: int
    errors_found: tuple[float, ...]
    coverage: float
    inconclusive: float
    half_width: float
    factors: tuple[FactorCount, ...] = ()


def right_word(factor: float, threshold: float) -> str | None:
    """Return the right verdict on a factor; None if the factor is the threshold itself.

    Args:
        factor: Head's work divided by base's.
        threshold: The smallest change that counts, as a share.
    """
    if abs(abs(factor - 1) - threshold) < 1e-9:
        return None
    if abs(factor - 1) < threshold:
        return "unchanged"
    return "regressed" if factor > 1 else "improved"


def summarize(comparisons: Iterable[Comparison], truth: Callable[[str, float], float]) -> list[ToolSummary]:
    """Summarize each tool; runs without a neighbour come first.

    Args:
        comparisons: All comparisons with one threshold and budget.
        truth: The true ratio of a kind and factor.
    """
    groups: dict[tuple[bool, str], list[Comparison]] = {}
    for found in comparisons:
        groups.setdefault((found.neighbour, found.tool), []).append(found)
    return [_tool(group, truth) for _, group in sorted(groups.items())]


def by_kind(comparisons: Iterable[Comparison], truth: Callable[[str, float], float]) -> list[KindSummary]:
    """Summarize each kind of work, from the comparisons that have an interval."""
    groups: dict[str, list[Comparison]] = {}
    for found in comparisons:
        if found.interval is not None and found.ratio is not None:
            groups.setdefault(found.kind, []).append(found)
    return [
        KindSummary(
            kind=kind,
            total=len(group),
            errors_found=tuple(sorted(_errors(group, truth))),
            coverage=_coverage(group, truth) or 0.0,
            inconclusive=_share(group, "inconclusive"),
            half_width=statistics.median(math.log(high / low) / 2 for low, high in _intervals(group)),
            factors=_factors(group),
        )
        for kind, group in sorted(groups.items())
    ]


def upper_bound(hits: int, total: int) -> float | None:
    """Return the one-sided 95 % bound of a share (Clopper and Pearson, Biometrika 26, 1934); None if `total` is 0."""
    from scipy.special import betaincinv

    if total == 0:
        return None
    return 1.0 if hits == total else float(betaincinv(hits + 1, total - hits, BOUND_CONFIDENCE))


def lower_bound(hits: int, total: int) -> float | None:
    """Return the one-sided lower 95 % bound of a share, as `upper_bound` does; None if `total` is 0."""
    above = upper_bound(total - hits, total)
    return None if above is None else 1 - above


def _tool(group: Sequence[Comparison], truth: Callable[[str, float], float]) -> ToolSummary:
    equal = [found for found in group if found.factor == 1]
    false_alarms = sum(found.verdict in ALARMS for found in equal)
    errors = _errors(group, truth)
    by_suite = {found.suite: found for found in group}
    return ToolSummary(
        tool=group[0].tool,
        neighbour=group[0].neighbour,
        suites=len(by_suite),
        factors=_factors(group),
        false_alarms=false_alarms,
        equal=len(equal),
        false_alarm_bound=upper_bound(false_alarms, len(equal)),
        inconclusive_equal=_share(equal, "inconclusive") if equal else None,
        inconclusive=_share(group, "inconclusive"),
        coverage=_coverage(group, truth),
        bias=statistics.fmean(errors) if errors else None,
        spread=math.sqrt(statistics.fmean(error * error for error in errors)) if errors else None,
        seconds_per_suite=statistics.median(found.suite_seconds for found in by_suite.values()),
        untrusted=sum(not found.trusted for found in by_suite.values()),
        errors=sum(found.verdict == "error" for found in group),
    )


def _factors(group: Sequence[Comparison]) -> tuple[FactorCount, ...]:
    return tuple(_factor(factor, group) for factor in sorted({found.factor for found in group}))


def _factor(factor: float, group: Sequence[Comparison]) -> FactorCount:
    words = [found.verdict for found in group if found.factor == factor]
    return FactorCount(
        factor,
        len(words),
        {word: words.count(word) for word in sorted(set(words))},
        words.count(right_word(factor, group[0].threshold) or ""),
    )


def _errors(group: Sequence[Comparison], truth: Callable[[str, float], float]) -> list[float]:
    return [math.log(found.ratio / truth(found.kind, found.factor)) for found in group if found.ratio is not None]


def _intervals(group: Sequence[Comparison]) -> list[tuple[float, float]]:
    return [found.interval for found in group if found.interval is not None]


def _coverage(group: Sequence[Comparison], truth: Callable[[str, float], float]) -> float | None:
    hits = [
        found.interval[0] <= truth(found.kind, found.factor) <= found.interval[1]
        for found in group
        if found.interval is not None
    ]
    return sum(hits) / len(hits) if hits else None


def _share(group: Sequence[Comparison], word: str) -> float:
    return sum(found.verdict == word for found in group) / len(group)
