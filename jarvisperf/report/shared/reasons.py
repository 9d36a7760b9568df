"""The reasons for regressions: the functions that explain most of them, according to the profiles of both arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.escaping import visible
from jarvisperf.measure.metrics import TIME
from jarvisperf.profiles.difference import costs
from jarvisperf.profiles.model import scaled
from jarvisperf.report.shared import units

if TYPE_CHECKING:
    from jarvisperf.profiles.difference import FunctionCost
    from jarvisperf.profiles.model import Profile
    from jarvisperf.report.findings.model import BenchmarkFinding, Findings

LONGEST_SECONDS = 1e30  # of a call; a profile cannot be scaled to more


def cause_of(finding: BenchmarkFinding) -> FunctionCost | None:
    """Return the function that explains most of a regression; None if there is none or no profile explains it."""
    metric = finding.metrics.get(finding.profile.explains) if finding.profile else None
    cost = _main_cause(finding) if metric is not None and metric.verdict == "regressed" else None
    return cost if cost is not None and cost.share > 0 else None


def explanation(finding: BenchmarkFinding, cost: FunctionCost) -> str:
    """Describe a function's part in a regression."""
    return _explanation(cost, finding.profile.unit if finding.profile else "s")


def _main_cause(finding: BenchmarkFinding) -> FunctionCost | None:
    """Return the function that explains most of a change; None unless both arms were profiled."""
    profiles = compared_profiles(finding)
    if profiles is None or profiles[1] is None:
        return None
    return next(iter(costs(*profiles)), None)


def reasons(findings: Findings) -> list[str]:
    """Return a line for each regression that a profile explains, naming the function that contributes most."""
    found = ((finding.id, reason_of(finding)) for finding in findings.benchmarks)
    return [visible(f"{name}: {reason}") for name, reason in found if reason]


def reason_of(finding: BenchmarkFinding) -> str:
    """Name the function that contributes most to a regression; empty if no profile explains one."""
    cost = cause_of(finding)
    return "" if cost is None else f"{cost.function} ({place(cost)}) {explanation(finding, cost)}"


def place_of_reason(finding: BenchmarkFinding) -> str:
    """Return the function that contributes most to a regression, and its place; empty if no profile explains one."""
    cost = _main_cause(finding) if reason_of(finding) else None
    return f"{cost.function} ({place(cost)})" if cost is not None else ""


def _explanation(cost: FunctionCost, unit: str) -> str:
    """Describe a function's part in a change, which exceeds the whole if other functions take less."""
    if cost.share <= 1:
        return f"explains {cost.share * 100:.0f}% of the change"
    whole = units.quantity(cost.change / cost.share, unit)
    return f"takes {units.quantity(cost.change, unit)} more, and other functions take less: {whole} more in all"


def place(cost: FunctionCost) -> str:
    """Return the place of a function."""
    return f"{cost.file}:{cost.line}" if cost.line else cost.file


def compared_profiles(finding: BenchmarkFinding) -> tuple[Profile, Profile | None] | None:
    """Return the profiles of head and base, scaled to the measured totals; None if head was not profiled."""
    head, base = finding.profile, finding.base_profile
    if head is None:
        return None
    time = finding.metrics.get(TIME.name)
    if head.explains == TIME.name and time and time.head:
        head = _scaled(head, time.head.median)
        if base is not None and time.ratio:
            base = _scaled(base, time.head.median / time.ratio)
    return head, base


def _scaled(profile: Profile, seconds: float) -> Profile:
    """Scale a profile to the seconds of a call, unless those are beyond any real call."""
    return scaled(profile, seconds) if seconds < LONGEST_SECONDS else profile
