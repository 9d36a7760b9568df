"""Draws conclusions from comparisons with known answers: alarms, detections, smallest noticeable change, advice."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jarvisperf.gate.proof.model import Detection, KnownComparison, ProvenBenchmark
from jarvisperf.gate.verdict.decide import LOOK_ERRORS, LOOKS, word_of
from jarvisperf.gate.verdict.distributions import normal_quantile, t_quantile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONFIDENCE = 0.95
THRESHOLDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)  # that may be recommended
BUDGETS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # seconds, likewise
MOST_OF_SUITE = 0.95  # of the benchmarks have to be decided at a recommended threshold
NOISIER = 3.0  # times the suite's median
BISECTIONS = 60


def at_most(count: int, total: int) -> float:
    """Return the upper bound of a share with 95 % confidence (Clopper and Pearson, 1934); 1 if nothing was counted.

    Args:
        count: How often it happened.
        total: In how many cases.
    """
    if total == 0 or count >= total:
        return 1.0
    low, high = count / total, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _as_few(count, total, middle) > 1 - CONFIDENCE:
            low = middle
        else:
            high = middle
    return high


def at_least(count: int, total: int) -> float:
    """Return the lower bound of a share with 95 % confidence; 0 if nothing was counted."""
    return 1 - at_most(total - count, total)


def _as_few(count: int, total: int, share: float) -> float:
    """Return the probability of at most `count` in `total` cases."""
    if share >= 1:
        return 0.0
    logs = (
        math.lgamma(total + 1)
        - math.lgamma(each + 1)
        - math.lgamma(total - each + 1)
        + each * math.log(share)
        + (total - each) * math.log1p(-share)
        if share > 0
        else (0.0 if each == 0 else -math.inf)
        for each in range(count + 1)
    )
    return math.fsum(map(math.exp, logs))


def is_alarm(row: KnownComparison) -> bool:
    """Return whether identical code was called different."""
    return row.injected == 0 and row.verdict in {"regressed", "improved"}


def detections(rows: Sequence[KnownComparison], thresholds: Mapping[str, float]) -> tuple[Detection, ...]:
    """Count how many injected slowdowns were found, by their size as a multiple of the threshold.

    Args:
        rows: The comparisons.
        thresholds: Each benchmark's threshold.
    """
    found: dict[float, list[bool]] = {}
    for row in rows:
        if row.injected and row.verdict is not None:
            found.setdefault(round(row.injected / thresholds[row.id], 2), []).append(row.verdict == "regressed")
    return tuple(
        Detection(size, len(hits), sum(hits), at_least(sum(hits), len(hits))) for size, hits in sorted(found.items())
    )


def reach(rows: Sequence[KnownComparison]) -> float | None:
    """Return how far a change's logarithm must lie from a bound to be seen beyond it in 95 of 100 full runs.

    It is half the interval of the last look, plus the 95 % quantile of the estimate's own error, both from the spread
    of the launches. A run that an early look decides needs fewer launches.

    Args:
        rows: The comparisons of one benchmark.
    """
    known = [(row.spread**2, row.launches - 1) for row in rows if row.spread is not None]
    freedom = sum(df for _, df in known)
    if not freedom:
        return None
    variance = math.fsum(value * df for value, df in known) / freedom
    error = math.sqrt(variance / LOOKS[-1])
    return error * (normal_quantile(CONFIDENCE) - t_quantile(LOOKS[-1] - 1, LOOK_ERRORS[-1] / 2))


def proven(
    name: str, rows: Sequence[KnownComparison], threshold: float, budget_seconds: float, to_fix: Sequence[str]
) -> ProvenBenchmark:
    """Conclude what the comparisons of one benchmark say about it."""
    far = reach(rows)
    return ProvenBenchmark(
        id=name,
        threshold=threshold,
        budget_seconds=budget_seconds,
        noticeable=None if far is None else (1 + threshold) * math.exp(far) - 1,
        needed=None if far is None else math.expm1(far),
        to_fix=tuple(to_fix),
    )


def noisier_than_the_rest(benchmarks: Sequence[ProvenBenchmark]) -> set[str]:
    """Return the benchmarks whose noise is far above the suite's usual one."""
    needed = sorted(one.needed for one in benchmarks if one.needed is not None)
    if not needed:
        return set()
    usual = needed[len(needed) // 2]
    return {one.id for one in benchmarks if one.needed is not None and one.needed > NOISIER * usual}


def recommended_threshold(benchmarks: Sequence[ProvenBenchmark], rows: Sequence[KnownComparison]) -> float | None:
    """Return the smallest usual threshold that most benchmarks support, and at which identical code raised no alarm."""
    needed = [one.needed for one in benchmarks if one.needed is not None]
    for threshold in THRESHOLDS if needed else ():
        supported = sum(one <= threshold for one in needed) >= MOST_OF_SUITE * len(needed)
        if supported and not any(_would_alarm(row, threshold) for row in rows):
            return threshold
    return None


def _would_alarm(row: KnownComparison, threshold: float) -> bool:
    if row.injected or row.interval is None or row.sure_interval is None:
        return False
    return word_of(row.interval, row.sure_interval, threshold) in {"regressed", "improved"}


def recommended_budget(benchmarks: Sequence[ProvenBenchmark]) -> float | None:
    """Return the smallest usual budget at which most benchmarks are decided at their own thresholds.

    The error is assumed to shrink with the square root of the budget, which holds unless launches as a whole differ.
    """
    wanted = sorted(
        one.budget_seconds * (math.log1p(one.needed) / math.log1p(one.threshold)) ** 2
        for one in benchmarks
        if one.needed is not None
    )
    if not wanted:
        return None
    most = wanted[min(len(wanted) - 1, math.ceil(MOST_OF_SUITE * len(wanted)) - 1)]
    return next((budget for budget in BUDGETS if budget >= most), None)
