"""The findings of a comparison with stored runs, some of them confirmed in lockstep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.report.findings.model import (
    Arm,
    BenchmarkFinding,
    Findings,
    MetricFinding,
    arm_of,
    in_json,
    interval_in_json,
    paired,
    twin_of,
)
from jarvisperf.runs.bounds import bounded_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jarvisperf.gate.screening.screen import Screened, ScreenedMetric
    from jarvisperf.report.findings.model import Verdict
    from jarvisperf.runs.model import Benchmark, Metric, Run


def baseline_findings(
    run: Run,
    baseline: Run,
    screened: Mapping[str, Screened],
    judged: Mapping[str, BenchmarkFinding],
    *,
    trusted: bool,
    final: bool = False,
) -> Findings:
    """Return the findings of a run that was compared with stored ones.

    Args:
        run: The head.
        baseline: The newest of the stored runs.
        screened: The verdicts of screening, by id; an id that head lacks is a missing benchmark.
        judged: Lockstep's findings for the benchmarks that screening could not decide, by id.
        trusted: Whether lockstep's control showed no difference.
        final: Whether nothing can be measured again, as with two stored runs. A change beyond the threshold is then
            called regressed, which is otherwise left to lockstep.
    """
    by_id = {benchmark.id: benchmark for benchmark in run.benchmarks}
    stored = {benchmark.id: benchmark for benchmark in baseline.benchmarks}
    present = [
        _finding(benchmark, stored.get(bounded_id(name)), screened.get(name), judged.get(name), final=final)
        for name, benchmark in by_id.items()
    ]
    missing = [
        BenchmarkFinding(
            id=name,
            group=stored[name].group,
            params=stored[name].params,
            metrics=_metrics(one, {}, stored[name], None, final=final),
        )
        for name, one in screened.items()
        if name not in by_id
    ]
    base = arm_of(baseline.commit)
    findings = Findings(
        mode="baseline",
        created=run.created,
        seconds=run.seconds,
        trusted=trusted,
        machine=run.machine,
        base=Arm(commit=base.commit, name=baseline.name, dirty=base.dirty),
        head=arm_of(run.commit),
        benchmarks=(*present, *missing),
        base_machine=baseline.machine,
    )
    return paired(findings)


def _finding(
    head: Benchmark,
    stored: Benchmark | None,
    screened: Screened | None,
    judged: BenchmarkFinding | None,
    *,
    final: bool,
) -> BenchmarkFinding:
    error = head.error or (f"in lockstep: {judged.error}" if judged and judged.error else None)
    return BenchmarkFinding(
        id=head.id,
        group=head.group,
        params=head.params,
        metrics=_metrics(screened, head.metrics, stored, judged, final=final) if screened else {},
        before=twin_of(head),
        extra_info=head.extra_info,
        error=error,
        profile=judged.profile if judged else None,
        base_profile=judged.base_profile if judged else None,
        notes=judged.notes if judged else (),
        seconds=head.seconds,
    )


def _metrics(
    screened: Screened,
    head: Mapping[str, Metric],
    stored: Benchmark | None,
    judged: BenchmarkFinding | None,
    *,
    final: bool,
) -> dict[str, MetricFinding]:
    metrics = {}
    for name, found in screened.metrics.items():
        measured = head[name] if name in head or stored is None else stored.metrics[name]
        second = judged.metrics.get(name) if judged else None
        failed = judged is not None and judged.error is not None and found.to_confirm
        metrics[name] = (
            second if second and _decides(second, found) else _screened(found, measured, failed=failed, final=final)
        )
    return metrics


def _decides(second: MetricFinding, first: ScreenedMetric) -> bool:
    """Return whether lockstep's verdict counts: if it is conclusive, or if screening had none either."""
    if second.verdict == "inconclusive":
        return first.to_confirm
    return second.ratio is not None  # without a ratio the commit lacks this benchmark, so nothing is known


def _screened(found: ScreenedMetric, measured: Metric, *, failed: bool, final: bool) -> MetricFinding:
    return MetricFinding(
        unit=measured.unit,
        better=measured.better,
        method=measured.method,
        base=found.base,
        head=found.head,
        ratio=None if found.ratio is None else in_json(found.ratio),
        interval=None if found.interval is None else interval_in_json(found.interval),
        threshold=found.threshold,
        verdict="error" if failed else _word(found, final=final),
        via="screening" if found.base and found.head else None,
    )


def _word(found: ScreenedMetric, *, final: bool) -> Verdict:
    """Translate a screening verdict; a suspicion counts as a verdict only if nothing can be measured again."""
    if not found.to_confirm:
        return found.verdict  # type: ignore[return-value]  # mypy does not narrow a literal by a property
    if not final:
        return "inconclusive"
    return {"suspicious": "regressed", "improved?": "improved"}.get(found.verdict, "inconclusive")  # type: ignore[return-value]
