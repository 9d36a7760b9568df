"""Explains the columns that a table in the terminal shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.report.terminal.interval_bar import ASCII, UNICODE
from jarvisperf.report.terminal.layout import BAR, SIGN
from jarvisperf.report.terminal.tables import ASCII_SIGNS, SIGNS

if TYPE_CHECKING:
    from collections.abc import Collection

    from jarvisperf.report.findings.model import Findings

RECORDED = {
    "spread": "spread: width of the middle half of the samples, as a share of the median.",
    "before/after": "before/after: the median of the uncached or naive counterpart, divided by this one's.",
}


def legend(findings: Findings, columns: Collection[str], *, unicode: bool) -> str:
    """Explain the columns in one line.

    Args:
        findings: The report's findings.
        columns: The titles of the columns that are shown.
        unicode: Whether the terminal shows more than ASCII.
    """
    if findings.base is None:
        return " ".join(text for name, text in RECORDED.items() if name in columns) or "median: of the samples."
    pairs = ", measured in pairs" if findings.mode == "lockstep" else ""
    words = ["base, head: medians." if "base" in columns else "", f"change: from base to head{pairs}."]
    if BAR in columns:
        marks = UNICODE if unicode else ASCII
        words.append(f"Bar: {marks.ratio} change, {marks.interval} 95% interval, {marks.limit} threshold.")
    if SIGN in columns:
        signs = SIGNS if unicode else ASCII_SIGNS
        words.append(", ".join(f"{sign} {verdict}" for verdict, sign in signs.items()) + ", ! failed or missing.")
    if "via" in columns:
        words.append("via: screening by stored runs, or lockstep, which measured both again.")
    return " ".join(filter(None, words))
