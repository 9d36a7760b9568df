"""`jarvisperf history`: benchmarks over the stored runs, with the commits at which they changed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.cli.common import OK, STORE_ONE, CommandError, add_command, add_store, date_or_days, did_you_mean, warn
from jarvisperf.cli.completion import complete_names
from jarvisperf.cli.printing import out, out_json
from jarvisperf.extras import require

if TYPE_CHECKING:
    import argparse

    from jarvisperf.cli.common import Subparsers
    from jarvisperf.history.model import History, Series
    from jarvisperf.runs.store import RunEntry, RunStore


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
        "--since", type=date_or_days, metavar="DATE", help="only runs since 2026-01-31, or 30d for the last 30 days"
    )
    history.add_argument("--metric", help="only this metric: time, memory, startup")
    history.add_argument(
        "--any-machine", action="store_true", help="runs of all machines, not only of the newest run's"
    )
    history.add_argument("--plot", type=Path, metavar="FILE", help="also write a picture: .svg or .png")
    history.add_argument("--json", action="store_true", help="print JSON")
    add_store(history)


def _history(words: argparse.Namespace) -> int:
    from jarvisperf.runs.store import open_store

    store = open_store(words.store).at_one_moment()
    entries = _entries(store, words)  # before the extras: installing them would not help without any run
    require("history", "jarvisperf history")
    if words.plot:
        require("plots", "--plot")
    history = _read(store, entries, words)
    for warning in history.warnings:
        warn(warning)
    if not history.occasions:
        raise LookupError("none of these runs can be read")
    if not history.series:
        raise LookupError("these runs have no benchmark with figures")
    chosen = _chosen(history, words.benchmark)
    if words.plot:
        _plot(words.plot, chosen, history)
    if words.json:
        out_json(_json(chosen, history))
    else:
        out(*_tables(chosen, history, whole=words.benchmark is None))
    return OK


def _tables(chosen: list[Series], history: History, *, whole: bool) -> list[str]:
    from jarvisperf.cli.history_tables import changes_table, runs_table
    from jarvisperf.report.terminal.summary import shows_unicode

    columns = shutil.get_terminal_size(fallback=(120, 24)).columns
    unicode = shows_unicode(sys.stdout.encoding)
    if whole:
        return changes_table(chosen, history, columns, unicode=unicode)
    return [line for series in chosen for line in runs_table(series, history, columns, unicode=unicode)]


def _entries(store: RunStore, words: argparse.Namespace) -> list[RunEntry]:
    """List the runs to show, the newest first.

    Raises:
        CommandError: The name is not allowed.
        LookupError: There are none.
    """
    from jarvisperf.runs.names import check_name

    try:
        entries = store.entries(check_name(words.name) if words.name else None)
    except ValueError as error:
        raise CommandError(str(error)) from None
    if not entries:
        raise LookupError(_why_none(store, words))
    newest = entries[0]
    if words.since:
        entries = [entry for entry in entries if entry.created >= words.since]
    if not entries:
        day = f"{words.since:%Y-%m-%d}"
        raise LookupError(f"{store.shown} has no runs since {day}; the newest is from {newest.created:%Y-%m-%d}")
    if not words.name:
        entries = [entry for entry in entries if entry.name == newest.name]
    if not words.any_machine:
        entries = [entry for entry in entries if entry.fingerprint == newest.fingerprint]
    return entries


def _why_none(store: RunStore, words: argparse.Namespace) -> str:
    from jarvisperf.runs.store import DEFAULT_STORE

    names = {entry.name for entry in store.entries()}
    if names:
        return f"{store.shown} has no runs under {words.name!r}{did_you_mean(words.name, names)}"
    if words.store != DEFAULT_STORE and not store.exists():  # the default store comes into being with its first run
        return f"{store.shown} does not exist; {STORE_ONE}"
    return f"{store.shown} holds no runs; {STORE_ONE}"


def _read(store: RunStore, entries: list[RunEntry], words: argparse.Namespace) -> History:
    from jarvisperf.history.reading import read_history

    history = read_history(store, entries, metric=words.metric, containing=words.benchmark or "", at_most=None)
    if words.benchmark and not history.series:
        # All ids, to suggest one that may be meant.
        history = read_history(store, entries, metric=words.metric, at_most=None)
    if words.metric and history.occasions and not history.series:
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
