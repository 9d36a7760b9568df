"""Reports: one file per format, all made from one set of findings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jarvisperf.history.model import History
    from jarvisperf.report.findings import Findings


def write_reports(
    findings: Findings, folder: Path, history: History | None = None, environ: Mapping[str, str] | None = None
) -> list[Path]:
    """Write the report in every format.

    Args:
        findings: What to report.
        folder: Where to; it is made if it is not there.
        history: The stored runs behind it; None: there are none.
        environ: Environment variables, which say whether GitHub wants a summary; None: those of this process.

    Returns:
        The files that were written.

    Raises:
        OSError: The folder cannot be made or written.
    """
    from jarvisperf.history.model import History
    from jarvisperf.report.csv_file import CsvReport
    from jarvisperf.report.github import StepSummaryReport
    from jarvisperf.report.history_plot import HistoryPlotReport
    from jarvisperf.report.html_file import HtmlReport
    from jarvisperf.report.json_file import JsonReport
    from jarvisperf.report.markdown import MarkdownReport
    from jarvisperf.report.open_metrics import OpenMetricsReport
    from jarvisperf.report.plots import PlotsReport
    from jarvisperf.report.ratio_plot import RatioPlotReport
    from jarvisperf.report.text import TextReport

    history = history or History()
    formats = (
        # First what does not need the folder, then what programs read, then what takes longest.
        StepSummaryReport(os.environ if environ is None else environ),
        JsonReport(),
        TextReport(),
        MarkdownReport(),
        CsvReport(),
        OpenMetricsReport(),
        HtmlReport(history),
        PlotsReport(),
        RatioPlotReport(),
        HistoryPlotReport(history),
    )
    return [path for report in formats for path in report.write(findings, folder)]
