"""Reports: one file per format, all made from one set of findings."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jarvisperf.history.model import History
    from jarvisperf.report.findings.model import Findings
    from jarvisperf.report.formats.base import Report


class UnwrittenError(OSError):
    """Some formats could not be written; the others were.

    Attributes:
        written: The files of the others.
    """

    def __init__(self, failures: Mapping[str, Exception], written: list[Path]) -> None:
        name, error = next(iter(failures.items()))
        others = f" and {len(failures) - 1} more" if len(failures) > 1 else ""
        super().__init__(f"{type(error).__name__}: {error} ({name}{others})")
        self.written = written


def write_reports(
    findings: Findings, folder: Path, history: History | None = None, environ: Mapping[str, str] | None = None
) -> list[Path]:
    """Write the report in every format. What ends that early, like Ctrl-C, leaves the earlier report as it was.

    Args:
        findings: What to report.
        folder: Where to; it is made if it is not there, with a ``.gitignore``.
        history: The stored runs behind it; None: there are none.
        environ: Environment variables, which say whether GitHub wants a summary; None: those of this process.

    Returns:
        The files that were written.

    Raises:
        UnwrittenError: Some formats could not be written: the folder cannot be made or written, for example.
    """
    from jarvisperf.report.folder import NewReport
    from jarvisperf.runs.files import make_ignored_folder

    formats = _formats(history, os.environ if environ is None else environ)
    with contextlib.suppress(OSError):  # each format will say so itself
        make_ignored_folder(folder)
    complete: list[Report] = []
    written: dict[str, list[Path]] = {}
    failures: dict[str, Exception] = {}
    with NewReport(folder) as new:
        for report in formats:
            try:
                report.write(findings, new.aside)
                complete.append(report)
            except Exception as error:  # noqa: BLE001  # of ten formats nine are worth having
                failures[type(report).__name__] = error
        for report in reversed(complete):  # report.json comes last: who waits for it finds the others
            try:
                written[type(report).__name__] = new.publish(report.files)
            except OSError as error:
                failures[type(report).__name__] = error
    paths = [path for report in formats for path in written.get(type(report).__name__, ())]
    if failures:
        raise UnwrittenError(failures, paths)
    return paths


def check_report_folder(folder: Path) -> None:
    """Refuse a folder in which a report would overwrite somebody else's file.

    Raises:
        jarvisperf.report.folder.ForeignFileError: It holds such a file; the message is one line and names it.
    """
    from jarvisperf.report.folder import check_folder

    check_folder(folder, [name for report in _formats(None, {}) for name in report.files])


def _formats(history: History | None, environ: Mapping[str, str]) -> tuple[Report, ...]:
    """Give all formats: first what does not need the folder, then what programs read, then what takes longest."""
    from jarvisperf.history.model import History
    from jarvisperf.report.formats.csv import CsvReport
    from jarvisperf.report.formats.github import StepSummaryReport
    from jarvisperf.report.formats.json import JsonReport
    from jarvisperf.report.formats.markdown import MarkdownReport
    from jarvisperf.report.formats.open_metrics import OpenMetricsReport
    from jarvisperf.report.formats.text import TextReport
    from jarvisperf.report.html.report import HtmlReport
    from jarvisperf.report.plots.before_after import PlotsReport
    from jarvisperf.report.plots.history import HistoryPlotReport
    from jarvisperf.report.plots.ratios import RatioPlotReport

    history = history or History()
    return (
        StepSummaryReport(environ),
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
