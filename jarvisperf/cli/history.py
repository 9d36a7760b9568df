"""`jarvisperf history`: benchmarks over the stored runs, with the commits at which they changed."""

from __future__ import annotations

import argparse
import datetime
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.cli.common import OK, CommandError, add_command, add_store, did_you_mean, warn
from jarvisperf.cli.completion import complete_names
from jarvisperf.cli.run_tables import aligned
from jarvisperf.extras import require
from jarvisperf.report.shared import units

if TYPE_CHECKING:
    from jarvisperf.cli.common import Subparsers
    from jarvisperf.history.model import History, LevelChange, Series

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-=+*#@"
SPARK_WIDTH = 60


def add_commands(commands: Subparsers) -> None:
    """Add the sub-command to the parser."""
    history = add_command(
        commands,
        "history",
        _history,
        "show benchmarks over the stored runs, and the commits at which they changed",
        "jarvisperf history                                    # every change of every benchmark",
        "jarvisperf history benchmarks/bench_a.py::test_a --since 2026-01-01",
        "jarvisperf history test_a --plot test_a.svg",
    )
    history.add_argument("benchmark", metavar="BENCHMARK", nargs="?", help="an id, or a part of exactly one id")
    complete_names(history.add_argument("--name", help="only runs under this name (default: the newest run's name)"))
    history.add_argument(
        "--since", type=_date, metavar="DATE", help="only runs since 2026-01-31, or 30d for the last 30 days"
    )
    history.add_argument("--metric", help="only this metric: time, memory, startup")
    history.add_argument(
        "--any-machine", action="store_true", help="runs of all machines, not only of the newest run's"
    )
    history.add_argument("--plot", type=Path, metavar="FILE", help="also write a picture: .svg or .png")
    history.add_argument("--json", action="store_true", help="print JSON")
    add_store(history)


def _date(text: str) -> datetime.datetime:
    from jarvisperf.runs.names import utc_time

    try:
        if text.endswith("d") and text[:-1].isdecimal():
            return datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=int(text[:-1]))
        return utc_time(text)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed; give a date like 2026-01-31 or a number of days like 30d"
        ) from None


def _history(words: argparse.Namespace) -> int:
    require("history", "jarvisperf history")
    if words.plot:
        require("plots", "--plot")
    history = _read(words)
    for warning in history.warnings:
        warn(warning)
    chosen = _chosen(history, words.benchmark)
    if words.plot:
        _plot(words.plot, chosen, history)
    if words.json:
        print(_json(chosen, history))
    elif words.benchmark is None:
        print("\n".join(_overview(chosen, history)))
    else:
        print("\n".join(line for series in chosen for line in _table(series, history)))
    return OK


def _read(words: argparse.Namespace) -> History:
    from jarvisperf.history.reading import read_history
    from jarvisperf.runs.names import check_name
    from jarvisperf.runs.store import open_store

    store = open_store(words.store)
    try:
        entries = store.entries(check_name(words.name) if words.name else None)
    except ValueError as error:
        raise CommandError(str(error)) from None
    if words.since:
        entries = [entry for entry in entries if entry.created >= words.since]
    if not entries:
        raise LookupError(f"{store.shown} has no matching runs; store one: pytest --jarvis-bench --jarvis-save NAME")
    newest = entries[0]
    if not words.name:
        entries = [entry for entry in entries if entry.name == newest.name]
    if not words.any_machine:
        entries = [entry for entry in entries if entry.fingerprint == newest.fingerprint]
    history = read_history(store, entries, metric=words.metric)
    if words.metric and not history.series:
        raise LookupError(
            f"no benchmark of these runs has the metric {words.metric!r}; common ones are time, memory, startup"
        )
    return history


def _chosen(history: History, wanted: str | None) -> list[Series]:
    if wanted is None:
        return list(history.all_series())
    if not wanted:
        raise LookupError("BENCHMARK is empty, perhaps from an unset variable; leave it out to see all benchmarks")
    matching = [wanted] if wanted in history.series else [name for name in history.series if wanted in name]
    if not matching:
        names = {name.rpartition("::")[2]: name for name in history.series}
        near = did_you_mean(wanted, {*names, *history.series}, else_list=False)
        raise LookupError(f"no benchmark of these runs has {wanted!r} in its id{near}")
    if len(matching) > 1:
        shown = ", ".join(matching[:5]) + (", …" if len(matching) > 5 else "")
        raise LookupError(f"{wanted!r} matches {len(matching)} ids; give one of them: {shown}")
    return list(history.series[matching[0]].values())


def _overview(chosen: list[Series], history: History) -> list[str]:
    count = len(history.occasions)
    benchmarks = f"{len(history.series)} benchmark{'' if len(history.series) == 1 else 's'}"
    first = f"{benchmarks} in {count} run{'' if count == 1 else 's'}"
    found = [(series, change) for series in chosen for change in series.changes]
    if not found:
        return [f"{first}: no change found"]
    found.sort(key=lambda pair: (-pair[1].place, -abs(pair[1].ratio - 1)))
    rows: list[tuple[str, ...]] = [("since", "commit", "change", "before", "after", "benchmark", "metric")]
    rows += [_change_row(series, change, history) for series, change in found]
    return [f"{first}: {len(found)} change{'' if len(found) == 1 else 's'}", "", *aligned(rows)]


def _change_row(series: Series, change: LevelChange, history: History) -> tuple[str, ...]:
    occasion = history.occasions[change.place]
    return (
        f"{occasion.created:%Y-%m-%d %H:%M}",
        occasion.shown,
        f"{(change.ratio - 1) * 100:+.3g}%",
        units.quantity(change.before, series.unit),
        units.quantity(change.after, series.unit),
        series.benchmark,
        series.metric,
    )


def _table(series: Series, history: History) -> list[str]:
    changes = {change.place: change for change in series.changes}
    head = f"{series.benchmark} {series.metric}, {len(series.points)} runs"
    rows = [("created (UTC)", "commit", "median", "middle half", "")]
    for point in series.points:
        occasion, change = history.occasions[point.place], changes.get(point.place)
        rows.append(
            (
                f"{occasion.created:%Y-%m-%d %H:%M:%S}",
                occasion.shown,
                units.quantity(point.median, series.unit),
                f"{units.quantity(point.low, series.unit)} to {units.quantity(point.high, series.unit)}",
                f"<- {(change.ratio - 1) * 100:+.3g}% since here" if change else "",
            )
        )
    lines = [" ".join(_change_row(series, change, history)[:5]) for change in series.changes] or ["no change found"]
    note = (
        ["changes were searched for after removing the drift that the yardstick explains"] if series.yardstick else []
    )
    return [head, _sparkline(series), "", *aligned(rows), "", *lines, *note, ""]


def _sparkline(series: Series) -> str:
    from jarvisperf.report.terminal.summary import shows_unicode

    values = [point.median for point in series.levels()]
    if len(values) > SPARK_WIDTH:  # each column shows the median of its share of the runs
        edges = [round(step * len(values) / SPARK_WIDTH) for step in range(SPARK_WIDTH + 1)]
        values = [sorted(values[a:b])[(b - a) // 2] for a, b in itertools.pairwise(edges)]
    blocks = BLOCKS if shows_unicode(sys.stdout.encoding) else ASCII_BLOCKS
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(blocks[min(int((value - low) / span * len(blocks)), len(blocks) - 1)] for value in values)


def _plot(path: Path, chosen: list[Series], history: History) -> None:
    from jarvisperf.report.plots.history import MOST_PANELS, draw_history, sorted_by_change
    from jarvisperf.runs.files import write_whole

    if path.suffix not in {".svg", ".png"}:
        raise CommandError(f"--plot {path}: give a file name that ends in .svg or .png")
    drawable = sorted_by_change(chosen)[:MOST_PANELS]
    if not drawable:
        raise CommandError("a plot needs at least three runs of a benchmark")
    write_whole(path, draw_history(drawable, history, path.suffix[1:]))
    warn(f"wrote {path}")


def _json(chosen: list[Series], history: History) -> str:
    import msgspec

    data = {"schema": "jarvisperf.history/1", "occasions": history.occasions, "series": chosen}
    return msgspec.json.format(msgspec.json.encode(data), indent=1).decode()
