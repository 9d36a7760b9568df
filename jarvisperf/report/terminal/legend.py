"""Explains the columns that a table in the terminal shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.report.shared.table import footnote
from jarvisperf.report.terminal.interval_bar import ASCII, UNICODE
from jarvisperf.report.terminal.layout import BAR, CHANGE_OF_CHANGED, SIGN
from jarvisperf.report.terminal.tables import ASCII_SIGNS, SIGNS

if TYPE_CHECKING:
    from collections.abc import Collection

    from jarvisperf.report.findings.model import Findings


def legend(findings: Findings, columns: Collection[str], *, unicode: bool) -> str:
    """Explain the columns in one line; empty if they need no explanation.

    Args:
        findings: The report's findings.
        columns: The titles of the columns that are shown.
        unicode: Whether the terminal shows more than ASCII.
    """
    if findings.base is None:
        return footnote(findings, columns)
    pairs = ", measured in pairs" if findings.mode == "lockstep" else ""
    figures = [name for name in ("base", "head") if name in columns]
    words = [f"{', '.join(figures)}: medians."] if figures else []
    if {"change", CHANGE_OF_CHANGED}.intersection(columns):
        words.append(f"change: from base to head{pairs}.")
    if BAR in columns:
        marks = UNICODE if unicode else ASCII
        words.append(f"Bar: {marks.ratio} change, {marks.interval} 95% interval, {marks.limit} threshold.")
    if SIGN in columns:
        signs = SIGNS if unicode else ASCII_SIGNS
        words.append(", ".join(f"{sign} {verdict}" for verdict, sign in signs.items()) + ", ! failed or missing.")
    if "via" in columns:
        words.append("via: screening by stored runs, or lockstep, which measured both again.")
    return " ".join(words)
