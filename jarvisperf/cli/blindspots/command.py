"""`jarvisperf blindspots`: prints the slowdown of each function that the suite would notice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.cli.common import OK, CommandError, add_command
from jarvisperf.cli.printing import out, out_json

if TYPE_CHECKING:
    import argparse

    from jarvisperf.cli.common import Subparsers
    from jarvisperf.report.findings.model import Findings, MetricFinding
    from jarvisperf.suspects.noticeable import FunctionPlace, NoticeableSlowdown

NO_PROFILES = "it has no profiles of time; make one with: pytest --jarvis-bench --jarvis-against REV --jarvis-profile"
COLUMNS = ("noticed from", "share", "benchmark", "function")


def add_commands(commands: Subparsers) -> None:
    """Add the sub-command to the parser."""
    parser = add_command(
        commands,
        "blindspots",
        _blindspots,
        "show what the suite would not notice: for each function of the project, the slowdown it takes to be noticed, "
        "and the changed functions that no benchmark executes",
        "jarvisperf blindspots                     # by the report in reports/",
        "jarvisperf blindspots --all",
        "jarvisperf blindspots build/report.json --json",
    )
    parser.add_argument(
        "report",
        nargs="?",
        type=Path,
        default=Path("reports"),
        metavar="REPORT",
        help="a report.json or its folder, of a run with --jarvis-profile (default: reports)",
    )
    parser.add_argument("--all", action="store_true", help="also list the functions that no benchmark shows")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _blindspots(words: argparse.Namespace) -> int:
    from jarvisperf.cli.blindspots.project_code import functions_of_project
    from jarvisperf.measure.metrics import TIME
    from jarvisperf.suspects.noticeable import noticeable_slowdowns

    path = words.report / "report.json" if words.report.is_dir() else words.report
    findings = _read(path)
    profiles = {
        one.id: one.profile
        for one in findings.benchmarks
        if one.profile is not None and one.profile.explains == TIME.name and TIME.name in one.metrics
    }
    if not profiles:
        raise CommandError(f"{path}: {NO_PROFILES}")
    smallest = {one.id: smallest_change(one.metrics[TIME.name]) for one in findings.benchmarks if one.id in profiles}
    functions = functions_of_project(Path.cwd())
    seen = noticeable_slowdowns(functions, profiles, smallest)
    shown = {one.place for one in seen}
    unseen = [one for one in functions if one not in shown]
    if words.json:
        out_json(json.dumps(_as_json(findings, seen, unseen), indent=2))
        return OK
    out(*_lines(findings, seen, unseen, names_all=words.all))
    return OK


def _read(path: Path) -> Findings:
    from jarvisperf.cli.common import read_json
    from jarvisperf.report.findings.model import Findings

    if not path.is_file():
        raise CommandError(f"{path} does not exist: run pytest --jarvis-bench --jarvis-profile first, or name a report")
    found = read_json(path)
    if not isinstance(found, Findings):
        raise CommandError(f"{path} is a stored run, which has no profiles; name a report.json")
    return found


def smallest_change(metric: MetricFinding) -> float:
    """Return the smallest slowdown that a benchmark would notice, as a share: its threshold and its uncertainty.

    Without a comparison the uncertainty is unknown, so it is at least the default threshold.
    """
    from jarvisperf.measure.metrics import TIME

    threshold = TIME.threshold if metric.threshold is None else metric.threshold
    if metric.interval is None or not metric.ratio:
        return threshold
    low, high = metric.interval
    return threshold + (high - low) / 2 / metric.ratio


def _lines(
    findings: Findings, seen: list[NoticeableSlowdown], unseen: list[FunctionPlace], *, names_all: bool
) -> list[str]:
    from jarvisperf.cli.run_tables import aligned
    from jarvisperf.report.shared.headline import counted
    from jarvisperf.report.shared.names import short_names
    from jarvisperf.report.shared.uncompared import unexecuted_functions, unexecuted_line

    lines = []
    if line := unexecuted_line(findings):
        lines += [f"{line}:", *(f"  {one}" for one in unexecuted_functions(findings)), ""]
    names = short_names([one.id for one in findings.benchmarks])
    rows = [COLUMNS]
    rows += [(_percent(one.slowdown), _percent(one.share), names[one.benchmark], _shown(one.place)) for one in seen]
    total = len(seen) + len(unseen)
    lines += [
        f"{len(seen)} of {total} functions take a visible share of a benchmark's time; the suite would notice",
        "a slowdown of each of them from this size on:",
        "",
        *aligned(rows),
    ]
    if findings.base is None:
        lines += ["", "Nothing was compared, so these are the least slowdowns: how precise the suite is, is unknown."]
    if names_all:
        lines += ["", "no benchmark shows:", *(f"  {_shown(one)}" for one in unseen)]
    elif unseen:
        verb = "is" if len(unseen) == 1 else "are"
        lines += ["", f"{counted(len(unseen), 'function')} {verb} not visible in any benchmark: --all lists them"]
    return lines


def _shown(place: FunctionPlace) -> str:
    return f"{place.function} ({place.file}:{place.first_line})"


def _percent(share: float) -> str:
    return f"{share * 100:.2g}%" if share < 1 else f"{share * 100:,.0f}%"


def _as_json(findings: Findings, seen: list[NoticeableSlowdown], unseen: list[FunctionPlace]) -> dict[str, object]:
    import msgspec

    return {
        "functions": [
            {
                "function": one.place.function,
                "file": one.place.file,
                "line": one.place.first_line,
                "benchmark": one.benchmark,
                "share": one.share,
                "noticed_from": one.slowdown,
            }
            for one in seen
        ],
        "unseen": [{"function": one.function, "file": one.file, "line": one.first_line} for one in unseen],
        "blind_spots": msgspec.to_builtins(findings.blind_spots),
    }
