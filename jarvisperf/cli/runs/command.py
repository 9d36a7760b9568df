"""`jarvisperf runs`: list, show, compare, query, compact, prune and import stored runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.cli.common import (
    FAILED,
    OK,
    RUN_FORMS,
    STORE_ONE,
    add_command,
    add_group,
    add_store,
    date_or_days,
    print_findings,
    wanted,
    warn,
)
from jarvisperf.cli.completion import complete_names, complete_runs
from jarvisperf.cli.printing import out, out_json
from jarvisperf.cli.runs.results import run_compact, run_sql

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.runs.store import RunEntry, RunStore


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands to the parser."""
    kinds = add_group(
        commands,
        "runs",
        "list, show, compare, query, compact, prune and import stored runs",
        "jarvisperf runs list",
        "jarvisperf runs show main",
        "jarvisperf runs diff main~1 main",
        'jarvisperf runs sql "select benchmark, median(median) from results group by benchmark"',
    )

    listing = _command(kinds, "list", _list, "list the stored runs, newest first", "jarvisperf runs list --name main")
    complete_names(listing.add_argument("--name", type=_name, help="only runs under this name"))
    form = listing.add_mutually_exclusive_group()
    form.add_argument("--names", action="store_true", help="print only the names under which runs are stored")
    form.add_argument("--json", action="store_true", help="print JSON")

    show = _command(
        kinds,
        "show",
        _show,
        "show the figures of a run",
        "jarvisperf runs show latest",
        "jarvisperf runs show main~1 --json > run.json",
    )
    complete_runs(show.add_argument("run_wanted", metavar="RUN", help=RUN_FORMS))
    show.add_argument("--json", action="store_true", help="print the stored run as JSON")

    diff = _command(
        kinds,
        "diff",
        _diff,
        "compare two runs without a verdict: their environments, then what changed from A to B",
        "jarvisperf runs diff main~1 main",
    )
    complete_runs(diff.add_argument("first", metavar="A", help=RUN_FORMS))
    complete_runs(diff.add_argument("second", metavar="B", help="the other run"))

    sql = _command(
        kinds,
        "sql",
        run_sql,
        "answer a query in SQL (DuckDB) over the tables `runs` and `results` of the stored runs",
        'jarvisperf runs sql "describe results"',
        "jarvisperf runs sql \"select created, median from results where metric = 'time'\" --name main --since 30d",
    )
    sql.add_argument("statement", metavar="SELECT", help="a single query; it reads the stored runs and nothing else")
    complete_names(sql.add_argument("--name", type=_name, help="only runs under this name"))
    sql.add_argument(
        "--since", type=date_or_days, metavar="DATE", help="only runs since 2026-01-31, or 30d for the last 30 days"
    )
    sql.add_argument("--json", action="store_true", help="print JSON")

    compact = _command(
        kinds,
        "compact",
        run_compact,
        "copy the results of all runs into Parquet by name and month, which history and sql read instead",
        "jarvisperf runs compact --store s3://bucket/folder",
    )
    complete_names(compact.add_argument("--name", type=_name, help="only runs under this name"))
    compact.add_argument("--rebuild", action="store_true", help="read every run again, also those in older Parquet")

    prune = _command(kinds, "prune", _prune, "delete old runs", "jarvisperf runs prune --keep 100 --dry-run")
    prune.add_argument(
        "--keep",
        type=_count,
        required=True,
        metavar="N",
        help="how many runs of each name and machine to keep, at least 1",
    )
    complete_names(prune.add_argument("--name", type=_name, help="only runs under this name"))
    prune.add_argument("--dry-run", action="store_true", help="only show what would be deleted")

    importing = _command(
        kinds,
        "import",
        _import,
        "store runs from pytest-benchmark's JSON files",
        "jarvisperf runs import .benchmarks --name main",
    )
    importing.add_argument("files", metavar="FILE", type=Path, nargs="+", help="a JSON file, or a folder of JSON files")
    complete_names(importing.add_argument("--name", type=_name, required=True, help="the name to store them under"))


def _command(
    kinds: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace, RunStore], int],
    text: str,
    *examples: str,
) -> argparse.ArgumentParser:
    def on_store(words: argparse.Namespace) -> int:
        from jarvisperf.runs.store import DEFAULT_STORE, open_store

        store = open_store(words.store)
        # A mistyped store must not look like an empty one. The default store is created by the first run.
        if words.store != DEFAULT_STORE and not store.exists() and not store.waiting() and run is not _import:
            raise LookupError(f"{store.shown} does not exist; {STORE_ONE}")
        return run(words, store)

    parser = add_command(kinds, name, on_store, text, *examples)
    add_store(parser)
    return parser


def _name(text: str) -> str:
    from jarvisperf.runs.names import check_name

    try:
        return check_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; give a whole number, at least 1")
    return int(text)


def _list(words: argparse.Namespace, store: RunStore) -> int:
    import msgspec

    from jarvisperf.cli.run_tables import aligned

    entries = store.entries(words.name)
    if words.names:
        out(*dict.fromkeys(entry.name for entry in entries))
        return OK
    if words.json:
        out_json(msgspec.json.format(msgspec.json.encode(entries), indent=1))
        return OK
    if entries:
        rows = [("name", "created (UTC)", "commit", "machine", "run"), *map(_row, entries)]
        out(*aligned(rows))
    else:
        under = f" under {words.name!r}" if words.name else ""
        name = words.name or "NAME"
        out(f"{store.shown} holds no runs{under}; store one: pytest --jarvis-bench --jarvis-save {name}")
    waiting = len(store.waiting())
    if waiting:
        warn(f"{waiting} run{'s wait' if waiting > 1 else ' waits'} in the outbox; the next save uploads them")
    return OK


def _row(entry: RunEntry) -> tuple[str, ...]:
    commit = (entry.commit or "-") + (" (changed)" if entry.dirty else "")
    return entry.name, f"{entry.created:%Y-%m-%d %H:%M:%S}", commit, entry.fingerprint, entry.token


def _show(words: argparse.Namespace, store: RunStore) -> int:
    entry, run = wanted(store, words.run_wanted)
    if words.json:
        import msgspec

        from jarvisperf.runs.files import encode_run

        out_json(msgspec.json.format(encode_run(run), indent=1))
        return OK
    from jarvisperf.report.findings.model import findings_of
    from jarvisperf.report.shared.headline import commit_line, machine_line

    findings = findings_of(run)
    out(f"run {entry.token} under {entry.name}, {entry.created:%Y-%m-%d %H:%M:%S} UTC")
    out(commit_line(findings))
    out(machine_line(findings), "")
    print_findings(findings)
    return OK


def _diff(words: argparse.Namespace, store: RunStore) -> int:
    from jarvisperf.cli.run_tables import BENCHMARK_TITLES, aligned, benchmark_rows, environment_rows
    from jarvisperf.report.shared.table import telling

    now = store.at_one_moment()
    (first_entry, first), (second_entry, second) = (wanted(now, text) for text in (words.first, words.second))
    environment = environment_rows(first, second)
    titles = [f"{entry.name} {entry.token}" for entry in (first_entry, second_entry)]
    if environment:
        out(*aligned([("differs", *titles), *environment]))
    else:
        out("Machine, packages and commit are the same.")
    out()
    rows = [dict(zip(BENCHMARK_TITLES, row, strict=True)) for row in benchmark_rows(first, second)]
    shown = telling(BENCHMARK_TITLES, rows) if rows else BENCHMARK_TITLES
    out(*aligned([shown, *([row[title] for title in shown] for row in rows)], left=2))
    out("", "Changes of medians of runs made at different times; this is not a verdict.")
    return OK


def _prune(words: argparse.Namespace, store: RunStore) -> int:
    doomed = store.superseded(words.keep, words.name)
    for entry in doomed:
        if not words.dry_run:
            store.delete(entry)
        out(f"{'would delete' if words.dry_run else 'deleted'} {'  '.join(_row(entry))}")
    out(f"{len(doomed)} run{'' if len(doomed) == 1 else 's'} {'to delete' if words.dry_run else 'deleted'}")
    return OK


def _import(words: argparse.Namespace, store: RunStore) -> int:
    from jarvisperf.report.shared.headline import counted
    from jarvisperf.runs.files import UnreadableRunError
    from jarvisperf.runs.pytest_benchmark_import import import_files, read_pytest_benchmark

    stored = failed = 0
    for given in words.files:
        try:
            files = import_files(given)
        except OSError as error:
            warn(str(error))
            failed += 1
            continue
        if not files:
            warn(f"{given} holds no JSON files")
            failed += 1
        for file in files:
            try:
                run, token = read_pytest_benchmark(file)
                result = store.save(run, words.name, token)
            except UnreadableRunError as error:
                warn(str(error) if str(error).startswith(str(file)) else f"{file}: {error}")
                failed += 1
                continue
            except OSError as error:
                warn(str(error))
                failed += 1
                continue
            for warning in result.warnings:
                warn(warning)
            stored += 1
            out(f"{file}: {counted(len(run.benchmarks), 'benchmark')}, run {token}")
    out(f"{stored} run{'' if stored == 1 else 's'} stored under {words.name}")
    return FAILED if failed else OK
