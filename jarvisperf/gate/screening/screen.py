"""Screens a run against stored ones: what is clearly fine passes; the rest must be measured again in lockstep.

A stored run was made at a different time, so a comparison with it never says `regressed` or `improved`: if the machine
was busy then, everything looks faster now. The interval is a t interval on the logarithm of head / baseline, each
divided by its yardstick:

- the baseline is the newest earlier run, together with others of the same commit;
- the deviation from run to run is estimated from the earlier runs (`spread.py`), but not below a floor;
- the yardstick is not used if it does harm, that is, if the earlier runs deviate far less without it (code that is
  immune to the machine's noise, like hashing with dedicated CPU instructions);
- with one earlier run there is no spread to estimate, and a wide prior is used;
- if no earlier run is from the same machine and method, a prior for the difference between machines is added.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from jarvisperf.gate.screening.figures import Figure, comparable, figures_of, log_difference, with_yardstick
from jarvisperf.gate.screening.spread import Spread, successive_spread
from jarvisperf.gate.verdict.bounded import interval_of, inverted, ratio_of
from jarvisperf.gate.verdict.distributions import t_quantile
from jarvisperf.measure.metrics import BUILT_IN, MetricKind, Metrics
from jarvisperf.runs.bounds import bounded_id
from jarvisperf.runs.names import utc_time
from jarvisperf.runs.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jarvisperf.runs.model import Run

ScreenVerdict = Literal["unchanged", "improved?", "suspicious", "inconclusive", "new", "missing"]
Threshold = float | Callable[[str, str], float | None]

CONFIDENCE = 0.95
MOST_EARLIER_RUNS = 20

PRIOR_FREEDOM = 4.0
"""Degrees of freedom of a metric's prior deviation: it is a guess, so the interval is wider than for a known one."""
OTHER_MACHINE_DEVIATION = {True: 0.15, False: 0.30}
"""The deviation between two machines (or methods), in addition to the run-to-run deviation: with and without a
yardstick."""
SUITE_SHARE = 0.5
"""A benchmark's deviation counts as at least this share of the suite's median deviation."""
HARMFUL_YARDSTICK = 0.5
"""The yardstick is not used if without it, the earlier runs deviate less than this share of their deviation with it."""
RUNS_TO_JUDGE_THE_YARDSTICK = 3

_ORDER: tuple[ScreenVerdict, ...] = ("missing", "suspicious", "inconclusive", "improved?", "unchanged", "new")


class ScreenedMetric(msgspec.Struct, frozen=True):
    """The result of screening one metric.

    Attributes:
        verdict: `unchanged` (the interval lies below the upper limit: no slower than the threshold allows), `improved?`
            (it lies below the lower limit as well), `suspicious` (it lies beyond the threshold), `inconclusive` (it
            contains the threshold), `new` (no earlier run has it), `missing` (it exists in the newest earlier run but
            not in head).
        ratio: head / baseline, after correcting for machine speed; None if one of the two is missing or zero.
        interval: The ratio's confidence interval, 95 %.
        threshold: How much worse it may get, as a share; None if it is not judged (the verdict is `unchanged`).
        base: The figures of the newest earlier run that was used.
        head: The figures of head.
        earlier: Number of earlier runs used.
        same_machine: Whether they are from the same machine and method.
        yardstick: Whether the yardstick was used.
    """

    verdict: ScreenVerdict
    ratio: float | None
    interval: tuple[float, float] | None
    threshold: float | None
    base: Summary | None
    head: Summary | None
    earlier: int = 0
    same_machine: bool = False
    yardstick: bool = False

    @property
    def to_confirm(self) -> bool:
        """Whether it must be measured again in lockstep; if that is impossible, it is `inconclusive`."""
        return self.verdict in {"suspicious", "inconclusive", "improved?"}


class Screened(msgspec.Struct, frozen=True):
    """The result of screening one benchmark.

    Attributes:
        id: The benchmark's id in head.
        metrics: The result for each metric, by name.
    """

    id: str
    metrics: dict[str, ScreenedMetric]

    @property
    def verdict(self) -> ScreenVerdict:
        """The worst verdict of its metrics."""
        return min((metric.verdict for metric in self.metrics.values()), key=_ORDER.index)

    @property
    def to_confirm(self) -> bool:
        """Whether one of its metrics must be measured again in lockstep."""
        return any(metric.to_confirm for metric in self.metrics.values())


class _Compared(msgspec.Struct, frozen=True):
    """A metric of head with the earlier figures that it is compared with, newest first."""

    kind: MetricKind
    head: Figure
    earlier: list[Figure]
    workloads: list[str]
    same_machine: bool
    differences: list[float]
    spread: Spread | None


def screen(head: Run, baselines: Sequence[Run], threshold: Threshold, kinds: Metrics = BUILT_IN) -> dict[str, Screened]:
    """Compare a run with stored ones.

    Benchmarks of head that failed are left out, because their tests report the failure.

    Args:
        head: The run.
        baselines: Earlier runs under one name, in any order; the newest 20 are used.
        threshold: How much worse a metric may get, as a share: 0.05 is 5 %; or a function of the benchmark's id and
            the metric's name, which may return None: that metric is compared, but not judged.
        kinds: The known metrics; for others in a run, the default assumptions apply.

    Returns:
        By benchmark id: those of head in their order, then those that are missing.

    Raises:
        ValueError: A threshold is not above 0 and finite, or a run's timestamp is invalid.
    """
    recent = sorted(baselines, key=lambda run: utc_time(run.created), reverse=True)[:MOST_EARLIER_RUNS]
    tables = [figures_of(run, kinds) for run in recent]
    here = figures_of(head, kinds)
    compared = {
        (benchmark, name): _compare(
            kinds.of(name, figure.metric.unit, figure.metric.better),
            figure,
            [table[benchmark][name] for table in tables if _has(table, benchmark, name)],
        )
        for benchmark, metrics in here.items()
        for name, figure in metrics.items()
    }
    floors = _floors(compared.values())
    screened: dict[str, Screened] = {}
    for benchmark in head.benchmarks:
        if benchmark.error is not None or not benchmark.metrics:
            continue
        kept = bounded_id(benchmark.id)
        metrics = {
            name: _screened(compared[kept, name], floors, _limit(threshold, benchmark.id, name))
            for name in benchmark.metrics
        }
        absent = tables[0].get(kept, {}).keys() - metrics.keys() if tables else ()
        for name in sorted(absent):
            metrics[name] = _missing(tables[0][kept][name], _limit(threshold, benchmark.id, name))
        screened[benchmark.id] = Screened(benchmark.id, metrics)
    for kept, figures in tables[0].items() if tables else ():
        if figures and kept not in here:
            absent_metrics = {name: _missing(figure, _limit(threshold, kept, name)) for name, figure in figures.items()}
            screened[kept] = Screened(kept, absent_metrics)
    return screened


def _has(table: dict[str, dict[str, Figure]], benchmark: str, name: str) -> bool:
    return name in table.get(benchmark, {})


def _limit(threshold: Threshold, benchmark: str, name: str) -> float | None:
    limit = threshold(benchmark, name) if callable(threshold) else threshold
    if limit is not None and not 0 < limit < math.inf:
        raise ValueError(f"the threshold of {name} is {limit!r}: give a share above 0, like 0.05 for 5 %")
    return limit


def _compare(kind: MetricKind, head: Figure, earlier: list[Figure]) -> _Compared:
    chosen, same_machine = comparable(head, [figure for figure in earlier if figure.metric.unit == head.metric.unit])
    chosen, workloads = with_yardstick(head, chosen)
    figures = (head, *chosen)
    if any(figure.median <= 0 or not math.isfinite(figure.median) for figure in figures):
        return _Compared(kind, head, chosen, workloads, same_machine, [], None)
    with_it, without = (_differences(head, chosen, names) for names in (workloads, []))
    if len(chosen) >= RUNS_TO_JUDGE_THE_YARDSTICK:
        deviation = successive_spread(without).deviation
        if deviation < HARMFUL_YARDSTICK * successive_spread(with_it).deviation:
            workloads, with_it = [], without
    spread = successive_spread(with_it) if len(chosen) > 1 else None
    return _Compared(kind, head, chosen, workloads, same_machine, with_it, spread)


def _differences(head: Figure, earlier: list[Figure], workloads: list[str]) -> list[float]:
    return [log_difference(head, figure, workloads) for figure in earlier]


def _floors(compared: Iterable[_Compared]) -> dict[str, float]:
    """Return the smallest credible deviation by metric, which also depends on the suite's other benchmarks."""
    kinds: dict[str, MetricKind] = {}
    deviations: dict[str, list[float]] = {}
    for one in compared:
        kinds[one.kind.name] = one.kind
        deviations.setdefault(one.kind.name, []).extend([one.spread.deviation] if one.spread else [])
    return {
        name: max(kinds[name].floor_deviation, SUITE_SHARE * statistics.median(found or [0.0]))
        for name, found in deviations.items()
    }


def _screened(one: _Compared, floors: dict[str, float], limit: float | None) -> ScreenedMetric:
    if not one.earlier:
        return ScreenedMetric("new", None, None, limit, None, one.head.metric.summary)
    ratio: float | None
    interval: tuple[float, float] | None
    if one.differences:
        centre, error = _centre_and_error(one, floors[one.kind.name])
        ratio, interval = ratio_of(centre), interval_of(centre, error)
    elif one.head.median == 0 and all(figure.median == 0 for figure in one.earlier):
        ratio, interval = 1.0, (1.0, 1.0)  # zero then, zero now
    else:
        ratio, interval = None, None
    return ScreenedMetric(
        verdict=_verdict(interval, limit, better=one.head.metric.better),
        ratio=ratio,
        interval=interval,
        threshold=limit,
        base=one.earlier[0].metric.summary,
        head=one.head.metric.summary,
        earlier=len(one.earlier),
        same_machine=one.same_machine,
        yardstick=bool(one.workloads),
    )


def _centre_and_error(one: _Compared, floor: float) -> tuple[float, float]:
    """Return the logarithm of the ratio, and half the width of its interval."""
    commits = [figure.run.commit for figure in one.earlier]
    newest = commits[0]
    same_code = [
        difference
        for difference, commit in zip(one.differences, commits, strict=True)
        if newest is not None and commit is not None and commit.id == newest.id and not (commit.dirty or newest.dirty)
    ] or one.differences[:1]
    spread = one.spread or Spread(one.kind.prior_deviation, PRIOR_FREEDOM)
    deviation = max(spread.deviation, floor, _own_error(one.head.metric.summary))
    variance = deviation * deviation * (1 + 1 / len(same_code))  # `**` would raise if the square overflows
    if not one.same_machine:
        variance += OTHER_MACHINE_DEVIATION[bool(one.workloads)] ** 2
    reach = -t_quantile(spread.freedom, (1 - CONFIDENCE) / 2)
    return statistics.fmean(same_code), reach * math.sqrt(variance)


def _own_error(summary: Summary) -> float:
    """Return the standard error of a single run's median, as a share of it; large for few or scattered samples.

    For a normal distribution, the interquartile range is 1.349 standard deviations, and the median's standard error is
    1.2533 times that of the mean.
    """
    return 1.2533 * summary.iqr / 1.349 / math.sqrt(max(1, summary.samples)) / summary.median


def _missing(figure: Figure, limit: float | None) -> ScreenedMetric:
    return ScreenedMetric("missing", None, None, limit, figure.metric.summary, None)


def _verdict(interval: tuple[float, float] | None, limit: float | None, *, better: str) -> ScreenVerdict:
    if limit is None:
        return "unchanged"
    if interval is None:
        return "inconclusive"
    low, high = interval if better == "lower" else inverted(interval)
    if low > 1 + limit:
        return "suspicious"
    if high > 1 + limit:
        return "inconclusive"
    return "improved?" if high < 1 - limit else "unchanged"
