"""A benchmark's profile on the page: a table of functions and flame graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.profiles.difference import costs
from jarvisperf.report.hosting import function_links
from jarvisperf.report.html.flame import flame_graphs
from jarvisperf.report.shared import units
from jarvisperf.report.shared.reasons import compared_profiles

if TYPE_CHECKING:
    from jarvisperf.profiles.difference import FunctionCost
    from jarvisperf.profiles.model import Profile
    from jarvisperf.report.findings.model import BenchmarkFinding
    from jarvisperf.report.shared.report import Report

COMPARED = ("function", "at", "base", "head", "change")
COMPARED_CAPTION = "Callers above, width is cost. Grey: as in the other arm; yellow to red: more in head; blue: less."
CAPTION = "Callers above, width is cost. Yellow: the project's own functions; grey: library code."
ALONE = ("function", "at", "takes", "share")


class FunctionRow(NamedTuple):
    """A function in the table.

    Attributes:
        cells: The cells; the second one is the function's place.
        address: The page with its lines; empty if there is none.
    """

    cells: tuple[str, ...]
    address: str


class ProfileView(NamedTuple):
    """The part of a profile that the page shows.

    Attributes:
        title: The headline.
        note: How the profile was taken.
        compared: Whether base and head are compared.
        columns: The table's columns.
        rows: The table's rows; the function that grew most comes first.
        flames: The flame graphs, as pairs of the arm and an SVG element; empty if they are left out.
        caption: The meaning of their widths and colours.
    """

    title: str
    note: str
    compared: bool
    columns: tuple[str, ...]
    rows: list[FunctionRow]
    flames: list[tuple[str, str]]
    caption: str


def profile_view(report: Report, finding: BenchmarkFinding, *, has_flames: bool = True) -> ProfileView | None:
    """Return the view of a benchmark's profile; None if it has none.

    Args:
        report: The report.
        finding: The benchmark.
        has_flames: Whether to draw the flame graphs.
    """
    profiles = compared_profiles(finding)
    if profiles is None:
        return None
    head, base = profiles
    ranked = costs(head, base)[: head.top]
    what = head.explains
    compared = base is not None
    address_of = function_links(report.findings)
    return ProfileView(
        title=f"Where the {what} changed, by function" if compared else f"Where the {what} goes",
        note=_note(head, compared=compared),
        compared=compared,
        columns=COMPARED if compared else ALONE,
        rows=[FunctionRow(_row(cost, head.unit), address_of(cost.file, cost.line)) for cost in ranked],
        flames=flame_graphs(head, base) if has_flames else [],
        caption=COMPARED_CAPTION if compared else CAPTION,
    )


def _note(head: Profile, *, compared: bool) -> str:
    kinds = {"pyinstrument": "samples", "cprofile": "calls", "memray": "allocations", "profile_function": "calls"}
    arms = "Both arms were profiled separately after the measurement; " if compared else ""
    rule = "A function's figures include the library code that it calls."
    return f"{arms}{head.engine}, {head.samples:,} {kinds[head.engine]} in {head.iterations:,} calls. {rule}"


def _row(cost: FunctionCost, unit: str) -> tuple[str, ...]:
    if cost.base is None:
        return cost.function, _place(cost), units.quantity(cost.head, unit), units.percent(cost.share)
    sign = "+" if cost.change >= 0 else "-"
    return (
        cost.function,
        _place(cost),
        units.quantity(cost.base, unit),
        units.quantity(cost.head, unit),
        f"{sign}{units.quantity(abs(cost.change), unit)}",
    )


def _place(cost: FunctionCost) -> str:
    return f"{cost.file}:{cost.line}" if cost.line else cost.file
