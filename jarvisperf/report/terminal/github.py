"""Workflow commands: log lines that GitHub Actions shows as annotations on source lines.

Source: GitHub's documentation, "Workflow commands for GitHub Actions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.escaping import visible
from jarvisperf.report.findings.borderline import shown_verdict
from jarvisperf.report.shared.failure_lines import figures
from jarvisperf.report.shared.reasons import cause_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jarvisperf.report.findings.model import BenchmarkFinding, Findings

MOST_ANNOTATIONS = 10  # per level and step; GitHub drops the rest


def workflow_commands(findings: Findings, folder: str = "") -> list[str]:
    """Return the commands: errors for failures, warnings for inconclusive verdicts.

    A regression is annotated at the function that explains it, if a profile tells, otherwise at its test.

    Args:
        findings: The report's findings.
        folder: The folder that the ids' files are relative to, with ``/`` at its end; empty: the repository's root.
    """
    found: dict[str, list[str]] = {"error": [], "warning": []}
    for finding in findings.benchmarks:
        for level, title, text in _marks(finding, allows_missing=findings.allows_missing):
            file = finding.id.partition("::")[0]
            line, message = finding.line, text
            cause = cause_of(finding) if title.endswith(" regressed") else None
            if cause is not None and cause.line and not _is_outside(cause.file):
                file, line = cause.file, cause.line  # a reviewer looks at the changed function, not at the test
                message = f"{text}; {visible(f'{cause.function} {cause.words}')}"
            place = f"file={_property(folder + file)}"
            if line is not None:
                place += f",line={line}"
            found[level].append(f"::{level} {place},title={_property(title)}::{_data(message)}")
    lines = []
    for level, commands in found.items():
        lines += commands[:MOST_ANNOTATIONS]
        left = len(commands) - MOST_ANNOTATIONS
        if left > 0:
            lines[-1] = f"::{level} title=jarvisperf::and {left + 1} more; see the step summary"
    return lines


def _is_outside(file: str) -> bool:
    """Return whether a profile's file is not one of the project's."""
    return file.startswith(("/", "<")) or ":" in file


def _marks(finding: BenchmarkFinding, *, allows_missing: bool) -> Iterator[tuple[str, str, str]]:
    name = visible(finding.id.partition("::")[2] or finding.id)
    if finding.error is not None:
        yield "error", f"{name} failed", visible(finding.error)
    for metric, found in finding.metrics.items():
        if found.verdict == "missing":
            level = "warning" if allows_missing else "error"
            yield level, f"{name} missing", "the benchmark exists in base but not in head"
        elif found.verdict == "regressed":
            yield "error", f"{name} regressed", figures(metric, found)
        elif found.verdict == "inconclusive":
            yield "warning", f"{name} {shown_verdict(found)}", figures(metric, found)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
