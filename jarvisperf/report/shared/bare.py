"""The benchmarks without a comparison, with the reason: failed, skipped, new."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.escaping import visible
from jarvisperf.report.shared.table import verdict_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jarvisperf.report.findings.model import Findings

MOST_NAMED = 3  # benchmarks that share a reason are listed up to this number, then counted


def problem_lines(findings: Findings) -> list[str]:
    """Return a line for each benchmark that failed."""
    return [visible(f"{finding.id}: {finding.error}") for finding in findings.benchmarks if finding.error is not None]


class NotCompared(NamedTuple):
    """Benchmarks that were not compared, for one reason.

    Attributes:
        verdict: ``new`` or ``skipped``.
        names: Their display names, or their number.
        reason: The reason, in a few words.
    """

    verdict: str
    names: str
    reason: str


def not_compared(findings: Findings, names: Mapping[str, str]) -> list[NotCompared]:
    """Return why benchmarks were skipped, or are new although base was given them.

    Args:
        findings: The report's findings.
        names: The display name of each benchmark, by id.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for finding in findings.benchmarks:
        reason = finding.skipped if finding.skipped is not None else finding.new_because
        if finding.error is None and reason is not None:
            found.setdefault((verdict_of(finding), reason), []).append(names[finding.id])
    return [NotCompared(verdict, listed(them), visible(reason)) for (verdict, reason), them in found.items()]


def listed(names: Sequence[str]) -> str:
    """Return a few names, or how many benchmarks there are."""
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} benchmarks"
