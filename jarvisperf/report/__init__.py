"""Reports: text, Markdown, JSON and plots from one set of findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from jarvisperf.report.findings import Findings


def write_reports(findings: Findings, folder: Path) -> list[Path]:
    """Write the report in every format.

    Args:
        findings: What to report.
        folder: Where to; it is made if it is not there.

    Returns:
        The files that were written.

    Raises:
        OSError: The folder cannot be made or written.
    """
    from jarvisperf.report.json_file import JsonReport
    from jarvisperf.report.markdown import MarkdownReport
    from jarvisperf.report.plots import PlotsReport
    from jarvisperf.report.text import TextReport

    formats = (JsonReport(), TextReport(), MarkdownReport(), PlotsReport())
    return [path for report in formats for path in report.write(findings, folder)]
