"""What GitHub Actions shows: the step's summary, and annotations at the tests' lines.

The commands are described in GitHub's "Workflow commands for GitHub Actions".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.report.findings.lockstep import figures
from jarvisperf.report.formats import markdown
from jarvisperf.report.formats.base import Report
from jarvisperf.report.shared.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jarvisperf.report.findings.model import BenchmarkFinding, Findings

MOST_ANNOTATIONS = 10  # of each level in a step; GitHub drops what comes after
LARGEST_SUMMARY_BYTES = 1_000_000  # of the 1 MiB that a step may have


class StepSummaryReport(Report):
    """Appends the Markdown to the file that ``GITHUB_STEP_SUMMARY`` names; without that it writes nothing.

    Args:
        environ: Environment variables.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._path = environ.get("GITHUB_STEP_SUMMARY")

    def write(self, findings: Findings, folder: Path) -> list[Path]:  # noqa: ARG002  # the file lies elsewhere
        """Append to the step's summary; the file is GitHub's, so it is not among those that were written."""
        if self._path:
            with Path(self._path).open("a", encoding="utf-8") as file:
                file.write(f"{markdown.render(findings, at_most_bytes=LARGEST_SUMMARY_BYTES, pictures=False)}\n")
        return []


def workflow_commands(findings: Findings, folder: str = "") -> list[str]:
    """Give the workflow commands that mark the tests' lines: errors for what fails, warnings for what cannot be told.

    Args:
        findings: The report.
        folder: Where the ids' files lie in the repository, with ``/`` at its end; empty: at its top.
    """
    found: dict[str, list[str]] = {"error": [], "warning": []}
    for finding in findings.benchmarks:
        for level, title, message in _marks(finding, allows_missing=findings.allows_missing):
            file = finding.id.partition("::")[0]
            place = f"file={_property(folder + file)}"
            if finding.line is not None:
                place += f",line={finding.line}"
            found[level].append(f"::{level} {place},title={_property(title)}::{_data(message)}")
    lines = []
    for level, commands in found.items():
        lines += commands[:MOST_ANNOTATIONS]
        left = len(commands) - MOST_ANNOTATIONS
        if left > 0:
            lines[-1] = f"::{level} title=jarvisperf::and {left + 1} more, see the step's summary"
    return lines


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
            yield "warning", f"{name} inconclusive", figures(metric, found)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
