"""The data model of findings: what every format is rendered from, and the layout of `report.json`.

The schema is `jarvisperf.report/1`. The fields of a comparison (`base`, `ratio`, `interval`, `threshold`) are null if
nothing was compared.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

import msgspec

from jarvisperf.gate.lockstep.tally import Witness
from jarvisperf.profiles.model import Profile
from jarvisperf.runs.machine import Machine
from jarvisperf.runs.model import Benchmark, Better, Metric, Run, Seconds, SideBySide
from jarvisperf.runs.shard import Split
from jarvisperf.runs.summary import Summary
from jarvisperf.suspects.blind_spots import BlindSpots
from jarvisperf.suspects.model import Explanation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jarvisperf.runs.commit import Commit

SCHEMA = "jarvisperf.report/1"

Verdict = Literal["regressed", "improved", "unchanged", "inconclusive", "new", "missing", "error"]
Mode = Literal["record", "baseline", "lockstep"]
Way = Literal["screening", "lockstep"]
PairWay = Literal["in turns", "one after the other", "single measurement"]


class Arm(msgspec.Struct, frozen=True):
    """One side of a comparison.

    Attributes:
        commit: The full hash; null if unknown.
        name: The branch, or the name that the run is stored under.
        dirty: Whether the files differed from the commit.
    """

    commit: str | None
    name: str | None
    dirty: bool


class LaunchFinding(msgspec.Struct, frozen=True, array_like=True):
    """One launch's figures for one metric.

    Attributes:
        base: The median of base's samples.
        head: The median of head's samples.
        ratio: The launch's estimate of head / base, from samples in pairs.
    """

    base: float
    head: float
    ratio: float


class MetricFinding(msgspec.Struct, frozen=True):
    """The findings about one metric of one benchmark.

    Attributes:
        unit: The symbol of its unit: ``s``, ``B``, or what is counted, like ``blocks``.
        better: The direction of an improvement.
        method: How it was measured.
        base: The figures of base; null if nothing was compared.
        head: The figures of head; null if it has none.
        ratio: head / base.
        interval: The ratio's confidence interval. JSON has no infinity: the largest float, 1.7976931348623157e+308,
            stands for an interval without an upper bound.
        threshold: How much worse it may get, as a share: 0.05 is 5 %.
        verdict: ``new`` if there was nothing to compare with.
        via: How the verdict was reached: ``screening`` against stored runs, or ``lockstep``; null if nothing was
            compared.
        doubt: Why it is inconclusive regardless of the interval; null if the interval decides.
        launches: The figures of each launch, which are what the interval is computed from; empty unless measured in
            lockstep.
        witness: The instructions of both arms, if they were counted because time could not tell; null otherwise.
    """

    unit: str
    better: Better
    method: str
    base: Summary | None
    head: Summary | None
    ratio: float | None
    interval: tuple[float, float] | None
    threshold: float | None
    verdict: Verdict
    via: Way | None = None
    doubt: str | None = None
    launches: tuple[LaunchFinding, ...] = ()
    witness: Witness | None = None


class PairFinding(msgspec.Struct, frozen=True):
    """How one metric of a benchmark compares with that of its counterpart.

    Attributes:
        before: The counterpart's median.
        after: This benchmark's median.
        ratio: after / before.
        how: ``in turns``; ``single measurement`` if calls are too long for that; otherwise ``one after the other``.
        interval: The ratio's confidence interval; null unless measured in turns.
        word: ``faster``, ``slower`` (``smaller``, ``more``, …), or ``no difference found``; null unless measured in
            turns.
        launches: Number of launches that the interval is computed from.
        why_not: Why it was not measured in turns; null if it was, or if that was not attempted.
    """

    before: float
    after: float
    ratio: float
    how: PairWay
    interval: tuple[float, float] | None = None
    word: str | None = None
    launches: int = 0
    why_not: str | None = None


class BeforeAfter(msgspec.Struct, frozen=True):
    """How a benchmark compares with its uncached or naive counterpart in the same run.

    Attributes:
        id: The counterpart's id.
        ratios: For each metric that both have, the counterpart's figure divided by this benchmark's; empty if the
            counterpart has no figures.
        metrics: The same in detail.
    """

    id: str
    ratios: dict[str, float] = {}
    metrics: dict[str, PairFinding] = {}


class BenchmarkFinding(msgspec.Struct, frozen=True):
    """The findings about one benchmark.

    Attributes:
        id: The pytest node id.
        group: Its group.
        params: Its parameters as text, by name.
        metrics: The findings about each metric, by name.
        before: The comparison with its uncached or naive counterpart; null if it has none.
        extra_info: Notes of the test's author, by name.
        error: Why it has no figures, in one line; null if it has some.
        line: The first line of the test in its file, from 1; null if unknown.
        profile: The profile of head; null if it was not profiled.
        base_profile: The profile of base; null if it was not profiled.
        base_id: Its id in base if its file was renamed; null if it is the same.
        notes: Notes for readers of its figures, such as what could not be verified.
        skipped: Why it was skipped; null if it was not.
        left_out: Why the change cannot have affected it, so that it was not measured; null if it had to be measured.
        new_because: Why base cannot run it although head can; null if it can, or if base does not have it at all.
        explanation: The changed functions that it executes, most likely reason first; null if that is unknown.
        side_by_side: The comparison of the functions that it measured together; null if it measured one.
        seconds: How long it took, with its fixtures and, of a pair, its turns; null if unknown.
    """

    id: str
    group: str | None
    params: dict[str, str]
    metrics: dict[str, MetricFinding]
    before: BeforeAfter | None = None
    extra_info: dict[str, str] = {}
    error: str | None = None
    line: int | None = None
    profile: Profile | None = None
    base_profile: Profile | None = None
    base_id: str | None = None
    notes: tuple[str, ...] = ()
    skipped: str | None = None
    left_out: str | None = None
    new_because: str | None = None
    explanation: Explanation | None = None
    side_by_side: SideBySide | None = None
    seconds: Seconds | None = None


class Findings(msgspec.Struct, frozen=True):
    """The whole report.

    Attributes:
        mode: ``record`` (nothing was compared), ``baseline`` or ``lockstep``.
        created: When the run started, ISO 8601 in UTC.
        seconds: How long it took.
        trusted: Whether the run's own control showed no difference.
        machine: The machine it ran on.
        base: The side that head was compared with; null in mode ``record``.
        head: The side that was measured.
        benchmarks: In the order of the run.
        schema: The version of this layout.
        shard: The part of the suite that this is, like ``1/4``; null for the whole suite.
        split: How the suite was cut into parts; null for the whole suite.
        base_machine: The machine of base if base is a stored run; null if both ran side by side on the same machine.
        allows_missing: Whether benchmarks that exist in base but not in head are accepted.
        interrupted: Whether the run ended before every benchmark was done.
        blind_spots: The changed functions that no benchmark executes; null if that is unknown, or no function changed.
        repository: The web address of the repository, which files are relative to; null if unknown.
    """

    mode: Mode
    created: str
    seconds: float
    trusted: bool
    machine: Machine
    base: Arm | None
    head: Arm
    benchmarks: tuple[BenchmarkFinding, ...]
    schema: str = SCHEMA
    shard: str | None = None
    split: Split | None = None
    base_machine: Machine | None = None
    allows_missing: bool = False
    interrupted: bool = False
    blind_spots: BlindSpots | None = None
    repository: str | None = None


def arm_text(arm: Arm) -> str:
    """Describe one side of a comparison: commit, branch, state of the working tree."""
    name = f" ({arm.name})" if arm.name else ""
    return f"{(arm.commit or 'no commit')[:12]}{name}{', with uncommitted changes' if arm.dirty else ''}"


def arm_of(commit: Commit | None) -> Arm:
    """Convert a commit to a side of a comparison."""
    if commit is None:
        return Arm(commit=None, name=None, dirty=False)
    return Arm(commit=commit.id, name=commit.branch, dirty=commit.dirty)


def findings_of(run: Run) -> Findings:
    """Return the findings of a run that was compared with nothing."""
    findings = Findings(
        mode="record",
        created=run.created,
        seconds=run.seconds,
        trusted=True,
        machine=run.machine,
        base=None,
        head=arm_of(run.commit),
        benchmarks=tuple(_finding(benchmark) for benchmark in run.benchmarks),
    )
    return paired(findings)


def twin_of(benchmark: Benchmark) -> BeforeAfter | None:
    """Return a benchmark's counterpart, without ratios yet; None if it has none."""
    return None if benchmark.before is None else BeforeAfter(benchmark.before)


def paired(findings: Findings) -> Findings:
    """Compare each benchmark with its counterpart: as measured in turns, otherwise by their medians in head."""
    by_id = {finding.id: finding for finding in findings.benchmarks}
    return msgspec.structs.replace(
        findings,
        benchmarks=tuple(
            msgspec.structs.replace(finding, before=_before_after(finding, finding.before, by_id))
            if finding.before
            else finding
            for finding in findings.benchmarks
        ),
    )


def _before_after(finding: BenchmarkFinding, known: BeforeAfter, by_id: Mapping[str, BenchmarkFinding]) -> BeforeAfter:
    twin = by_id.get(known.id)
    found = {}
    for name, metric in finding.metrics.items():
        before = twin.metrics[name].head if twin and name in twin.metrics else None
        if before and metric.head and before.median > 0 and metric.head.median > 0:
            ratio = in_json(metric.head.median / before.median)
            by_medians = PairFinding(before.median, metric.head.median, ratio, "one after the other")
            found[name] = known.metrics.get(name, by_medians)
    return BeforeAfter(known.id, {name: _inverse(one) for name, one in found.items()}, found)


def _inverse(found: PairFinding) -> float:
    """Return before / after: of the medians, unless it was measured in turns."""
    ratio = 1 / found.ratio if found.how == "in turns" and found.ratio > 0 else found.before / found.after
    return in_json(ratio)


def completed(
    findings: Findings,
    *,
    lines: Mapping[str, int],
    profiles: Mapping[str, tuple[Profile | None, Profile | None]],
    limits: Mapping[str, Mapping[str, float]],
    notes: Mapping[str, Iterable[str]],
) -> Findings:
    """Add what the session knows about its tests.

    Args:
        findings: The report's findings.
        lines: The first line of each test, from 1, by benchmark id.
        profiles: Profiles of base and head, by benchmark id.
        limits: Absolute limits in the metric's unit, by benchmark id and metric.
        notes: Further notes, by benchmark id.
    """

    def complete(finding: BenchmarkFinding) -> BenchmarkFinding:
        base_profile, profile = profiles.get(finding.id, (finding.base_profile, finding.profile))
        return msgspec.structs.replace(
            finding,
            metrics=held_to_limits(finding.metrics, limits.get(finding.id, {})),
            line=lines.get(finding.id),
            base_profile=base_profile,
            profile=profile,
            notes=tuple(dict.fromkeys([*finding.notes, *notes.get(finding.id, ())])),
        )

    return msgspec.structs.replace(findings, benchmarks=tuple(map(complete, findings.benchmarks)))


def run_of(findings: Findings, commit: Commit | None) -> Run:
    """Return head's figures as a run that can be stored."""
    return Run(
        created=findings.created,
        seconds=findings.seconds,
        machine=findings.machine,
        commit=commit,
        benchmarks=tuple(
            Benchmark(
                id=finding.id,
                group=finding.group,
                params=finding.params,
                metrics={
                    name: Metric(unit=metric.unit, better=metric.better, method=metric.method, summary=metric.head)
                    for name, metric in finding.metrics.items()
                    if metric.head is not None
                },
                before=finding.before.id if finding.before else None,
                extra_info=finding.extra_info,
                error=finding.error,
                side_by_side=finding.side_by_side,
                seconds=finding.seconds,
            )
            for finding in findings.benchmarks
            if finding.error is not None or any(metric.head is not None for metric in finding.metrics.values())
        ),
    )


def expected_to_fail(reason: str) -> str:
    """Explain why a benchmark that failed as expected counts as skipped, in one line.

    Args:
        reason: The test's own reason; may be empty.
    """
    return f"expected to fail: {' '.join(reason.split())}".removesuffix(": ")


def held_to_limits(metrics: dict[str, MetricFinding], limits: Mapping[str, float]) -> dict[str, MetricFinding]:
    """Return the metrics with the verdict ``regressed`` for those above their absolute limit.

    Args:
        metrics: The findings of a benchmark's metrics, by name.
        limits: Absolute limits in the metric's unit, by name.
    """
    over = {
        name: msgspec.structs.replace(metric, verdict="regressed", doubt=None)
        for name, metric in metrics.items()
        if over_limit(metric.head, limits.get(name))
    }
    return metrics | over


def over_limit(summary: Summary | None, limit: float | None) -> bool:
    """Return whether a metric's median is above its absolute limit; False without figures or a limit."""
    return summary is not None and limit is not None and summary.median > limit


def in_json(ratio: float) -> float:
    """Return a ratio for JSON, which has no infinity: the largest float stands for it."""
    return min(ratio, sys.float_info.max)


def interval_in_json(interval: tuple[float, float]) -> tuple[float, float]:
    """Return both ends of an interval for JSON, see `in_json`."""
    return in_json(interval[0]), in_json(interval[1])


def _finding(benchmark: Benchmark) -> BenchmarkFinding:
    return BenchmarkFinding(
        id=benchmark.id,
        group=benchmark.group,
        params=benchmark.params,
        metrics={
            name: MetricFinding(
                unit=metric.unit,
                better=metric.better,
                method=metric.method,
                base=None,
                head=metric.summary,
                ratio=None,
                interval=None,
                threshold=None,
                verdict="new" if benchmark.error is None else "error",
            )
            for name, metric in benchmark.metrics.items()
        },
        before=twin_of(benchmark),
        extra_info=benchmark.extra_info,
        error=benchmark.error,
        side_by_side=benchmark.side_by_side,
        seconds=benchmark.seconds,
    )
