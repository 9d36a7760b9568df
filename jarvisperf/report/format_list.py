"""The built-in formats, and the selection among them and those of plugins."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from jarvisperf.extras import lacking

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jarvisperf.report.shared.report import ReportFormat


def builtin_formats() -> tuple[ReportFormat, ...]:
    """Return all built-in formats, those for programs first and the slowest last."""
    from jarvisperf.report.formats import csv, json, markdown, open_metrics, text
    from jarvisperf.report.html import report as html
    from jarvisperf.report.plots import before_after, history, ratios

    modules = (json, text, markdown, csv, open_metrics, html, before_after, ratios, history)
    return tuple(module.FORMAT for module in modules)


def choose_formats(names: Sequence[str], further: Iterable[ReportFormat] = ()) -> tuple[ReportFormat, ...]:
    """Return the formats of these names.

    Args:
        names: Names of formats; empty: all formats, except those whose extra is not installed.
        further: Formats of plugins, in addition to the built-in ones.

    Raises:
        ValueError: A name is unknown, two formats have the same name or file, or a named format's extra is not
            installed; the message names it.
    """
    formats = (*builtin_formats(), *further)
    for what, found in (("name", [one.name for one in formats]), ("file", [n for one in formats for n in one.files])):
        twice = next((word for word, count in Counter(found).items() if count > 1), None)
        if twice is not None:
            raise ValueError(f"two report formats have the {what} {twice!r}: rename one of them")
    known = [one.name for one in formats]
    for name in names:
        if name not in known:
            raise ValueError(f"unknown report format {name!r}; choose from: {', '.join(known)}")
    chosen = tuple(one for one in formats if one.name in names or not (names or _lacks(one)))
    for one in chosen:
        if _lacks(one):
            raise ValueError(f"the format {one.name!r} needs the extra {one.extra!r}: {_lacks(one)}")
    return chosen


def _lacks(one: ReportFormat) -> str:
    return lacking(one.extra) if one.extra else ""
