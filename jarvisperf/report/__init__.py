"""Reports: one file per format, all made from one set of findings."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from jarvisperf.history.model import History
    from jarvisperf.report.base import Report
    from jarvisperf.report.findings import Findings

# The formats by name, and the files of each in the report's folder.
FORMAT_FILES: Mapping[str, tuple[str, ...]] = {
    "json": ("report.json",),
    "text": ("report.txt",),
    "markdown": ("report.md",),
    "csv": ("report.csv",),
    "metrics": ("metrics.txt",),
    "html": ("report.html",),
    "plots": tuple(f"plots/{name}.{kind}" for name in ("before_after", "ratios", "history") for kind in ("png", "svg")),
}


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
    findings: Findings,
    folder: Path,
    history: History | None = None,
    environ: Mapping[str, str] | None = None,
    formats: Collection[str] = tuple(FORMAT_FILES),
) -> list[Path]:
    """Write the report; files of an earlier report in formats that are not wanted now are removed.

    Args:
        findings: What to report.
        folder: Where to; it is made if it is not there, with a ``.gitignore``.
        history: The stored runs behind it; None: there are none.
        environ: Environment variables, which say whether GitHub wants a summary; None: those of this process.
        formats: The formats to write, of `FORMAT_FILES`.

    Returns:
        The files that were written.

    Raises:
        UnwrittenError: Some formats could not be written: the folder cannot be made or written, for example.
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
    from jarvisperf.runs.files import make_ignored_folder

    history = history or History()
    # First what programs read, last what takes longest.
    reports: Mapping[str, tuple[Report, ...]] = {
        "json": (JsonReport(),),
        "text": (TextReport(),),
        "markdown": (MarkdownReport(),),
        "csv": (CsvReport(),),
        "metrics": (OpenMetricsReport(),),
        "html": (HtmlReport(history),),
        "plots": (PlotsReport(), RatioPlotReport(), HistoryPlotReport(history)),
    }
    wanted: list[Report] = [StepSummaryReport(os.environ if environ is None else environ)]  # it needs no folder
    for name, of_this_format in reports.items():
        wanted += of_this_format if name in formats else ()
    with contextlib.suppress(OSError):  # each format will say so itself
        make_ignored_folder(folder)
    written: list[Path] = []
    failures: dict[str, Exception] = {}
    for name in FORMAT_FILES.keys() - set(formats):
        try:
            for file in FORMAT_FILES[name]:
                (folder / file).unlink(missing_ok=True)
        except OSError as error:
            failures[f"an earlier report as {name}"] = error
    for report in wanted:
        try:
            written += report.write(findings, folder)
        except Exception as error:  # noqa: BLE001  # of ten formats nine are worth having
            failures[type(report).__name__] = error
    if failures:
        raise UnwrittenError(failures, written)
    return written
