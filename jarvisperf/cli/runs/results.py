"""`jarvisperf runs compact` and `jarvisperf runs sql`: the results of many runs at once."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from jarvisperf.cli.common import OK, CommandError, warn
from jarvisperf.cli.printing import out, out_json
from jarvisperf.cli.runs.memory_limit import more_memory_at_most

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from jarvisperf.runs.store import RunStore

STATEMENT_FORM = "give one SELECT, like: select name, count(*) from runs group by name"
NULL = "-"
MOST_ROWS = 1_000_000
MOST_CHARACTERS = 200_000_000
ROWS_PER_BATCH = 10_000
MOST_MEMORY_BYTES = 3 << 30
LONGEST_CELL = 1_000  # characters; a stored id has at most 500


def run_compact(words: argparse.Namespace, store: RunStore) -> int:
    """Bring the Parquet objects up to date and print a line for each that was written."""
    from jarvisperf.report.shared.headline import counted
    from jarvisperf.runs.tables import compact

    written = current = 0
    for done in compact(store, words.name, rebuild=words.rebuild):
        for warning in done.warnings:
            warn(warning)
        if done.bytes is None:
            current += bool(done.runs)
            continue
        written += 1
        out(f"{done.group.name} {done.group.month}: {counted(done.runs, 'run')} in {done.bytes / 1e6:.2f} MB")
    out(f"{counted(written, 'Parquet object')} written, {current} already up to date; the runs themselves stay")
    return OK


def run_sql(words: argparse.Namespace, store: RunStore) -> int:
    """Answer a query over the stored runs.

    Raises:
        CommandError: The statement is not a single query, or DuckDB rejects it.
    """
    import msgspec

    from jarvisperf.runs.tables import Tables, group_of, list_parts

    entries = store.entries(words.name)
    if words.since:
        entries = [entry for entry in entries if entry.created >= words.since]
    with Tables(store, entries, list_parts(store.place, {group_of(entry) for entry in entries})) as tables:
        tables.read_others()
        for warning in tables.warnings:
            warn(warning)
        tables.confine()
        titles, rows = _answer(tables.connection, words.statement)
    if words.json:
        data = [dict(zip(titles, row, strict=True)) for row in rows]
        out_json(msgspec.json.format(msgspec.json.encode(data, enc_hook=str), indent=1))
    else:
        _print_table(titles, rows)
    return OK


def _answer(connection: object, statement: str) -> tuple[list[str], list[tuple[object, ...]]]:
    import duckdb

    from jarvisperf.runs.tables import first_line
    from jarvisperf.runs.tables.database import MOST_SPILLED_BYTES

    try:
        statements = connection.extract_statements(statement)  # type: ignore[attr-defined]  # DuckDB is not typed here
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise CommandError(f"{statement!r} is not a single query; {STATEMENT_FORM}")
        with more_memory_at_most(MOST_MEMORY_BYTES):  # DuckDB's own limit does not count a single huge text
            result = connection.execute(statements[0])  # type: ignore[attr-defined]
            return [column[0] for column in result.description], _bounded(result)
    except (duckdb.OutOfMemoryException, MemoryError):
        raise CommandError(
            f"the query needs more than it gets: at most {MOST_MEMORY_BYTES >> 30} GiB of memory and "
            f"{MOST_SPILLED_BYTES >> 30} GiB of disk; choose fewer columns or rows, or aggregate"
        ) from None
    except duckdb.Error as error:
        raise CommandError(first_line(error)) from None


def _bounded(result: Any) -> list[tuple[object, ...]]:
    """Fetch an answer, as long as it is of a size that somebody may want to print.

    Raises:
        CommandError: It is larger.
    """
    rows: list[tuple[object, ...]] = []
    characters = 0
    while batch := result.fetchmany(ROWS_PER_BATCH):
        rows += batch
        characters += sum(len(cell) for row in batch for cell in row if isinstance(cell, str | bytes))
        if len(rows) > MOST_ROWS or characters > MOST_CHARACTERS:
            raise CommandError(
                f"the answer has more than {MOST_ROWS:,} rows or {MOST_CHARACTERS:,} characters; "
                "aggregate, or add a LIMIT"
            )
    return rows


def _print_table(titles: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    from jarvisperf.cli.run_tables import aligned

    out(*aligned([titles, *([_shown(_cell(value)) for value in row] for row in rows)]))


def _shown(text: str) -> str:
    """Return the beginning of a long text: a table makes every row as wide as the longest."""
    if len(text) <= LONGEST_CELL:
        return text
    return f"{text[:LONGEST_CELL]}… ({len(text):,} characters; --json prints them all)"


def _cell(value: object) -> str:
    if value is None:
        return NULL
    if isinstance(value, float):
        return f"{value:.7g}"  # as many digits as a stored figure has
    if isinstance(value, datetime.datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_cell(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return str(value)
