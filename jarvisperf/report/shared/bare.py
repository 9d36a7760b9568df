"""The benchmarks without a comparison, with the reason: failed, skipped, new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.report.shared.table import verdict_of
from jarvisperf.report.shared.units import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jarvisperf.report.findings.model import Findings

MOST_NAMED = 3  # benchmarks that share a reason are listed up to this number, then counted


def problem_lines(findings: Findings) -> list[str]:
    """Return a line for each benchmark that failed."""
    return [visible(f"{finding.id}: {finding.error}") for finding in findings.benchmarks if finding.error is not None]


def not_compared_lines(findings: Findings, names: Mapping[str, str]) -> list[str]:
    """Return a line for each reason why benchmarks were skipped or are new, with their names.

    Args:
        findings: The report's findings.
        names: The display name of each benchmark, by id.
    """
    reasons: dict[str, list[str]] = {}
    for finding in findings.benchmarks:
        verdict = verdict_of(finding)
        if verdict == "skipped":
            reasons.setdefault(f"skipped: {finding.skipped}", []).append(names[finding.id])
        elif verdict == "new" and finding.new_because is not None:
            reasons.setdefault(f"new: {finding.new_because}", []).append(names[finding.id])
    return [f"{_named(them)} {visible(reason)}" for reason, them in reasons.items()]


def _named(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} benchmarks"
