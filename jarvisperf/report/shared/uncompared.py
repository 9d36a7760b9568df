"""What was not compared: benchmarks that failed, were skipped or are new, and code that no benchmark executes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.escaping import visible
from jarvisperf.report.shared.table import verdict_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jarvisperf.report.findings.model import Findings

MOST_UNEXECUTED = 50
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
        reason = next((one for one in (finding.skipped, finding.new_because) if one is not None), None)
        if finding.error is None and reason is not None:
            found.setdefault((verdict_of(finding), reason), []).append(names[finding.id])
    return [NotCompared(verdict, listed(them), visible(reason)) for (verdict, reason), them in found.items()]


def listed(names: Sequence[str]) -> str:
    """Return a few names, or how many benchmarks there are."""
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names):,} benchmarks"


def left_out_line(findings: Findings) -> str:
    """Say how many benchmarks were left out; empty if none was."""
    count = sum(finding.left_out is not None for finding in findings.benchmarks)
    if not count:
        return ""
    if count == 1:
        return "1 benchmark left out: nothing it executes, reads or imports has changed"
    return f"{count:,} benchmarks left out: nothing they execute, read or import has changed"


def left_out_names(findings: Findings, names: Mapping[str, str]) -> list[str]:
    """List the benchmarks that were left out.

    Args:
        findings: The report's findings.
        names: The display name of each benchmark, by id.
    """
    return [names[finding.id] for finding in findings.benchmarks if finding.left_out is not None]


def unexecuted_line(findings: Findings) -> str:
    """Say how many changed functions no benchmark executes; empty if each is executed, or that is unknown."""
    spots = findings.blind_spots
    if spots is None or not spots.unexecuted:
        return ""
    count = len(spots.unexecuted)
    which = "1 changed function is" if count == 1 else f"{count:,} changed functions are"
    part = "" if findings.shard is None else " of this part of the suite"
    unseen = "" if spots.is_complete else " (what runs in other processes or threads cannot be seen)"
    return f"{which} not executed by any benchmark{part}{unseen}"


def unexecuted_functions(findings: Findings) -> list[str]:
    """List these functions with their places."""
    spots = findings.blind_spots.unexecuted if findings.blind_spots is not None else ()
    lines = [visible(f"{one.function} ({one.file}:{one.line}), {one.difference}") for one in spots[:MOST_UNEXECUTED]]
    return lines + ([f"and {len(spots) - len(lines):,} more"] if len(spots) > len(lines) else [])
