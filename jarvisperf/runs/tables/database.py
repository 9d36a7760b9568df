"""The results of runs as tables of a DuckDB in memory: from the parts that hold them, else from the runs themselves.

A part is only a copy. A run counts if the store lists it, whatever the parts say; it is read from one part even if two
hold it, and from its own object if none does. So every run is read exactly once while others write,
compact and prune.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from jarvisperf.extras import require
from jarvisperf.runs.backends import RunStoreError, read_each
from jarvisperf.runs.files import UnreadableRunError, unpack
from jarvisperf.runs.tables.parts import part_of
from jarvisperf.runs.tables.rows import RESULT_COLUMNS, RUN_COLUMNS, result_rows, run_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jarvisperf.runs.names import RunEntry
    from jarvisperf.runs.store import RunStore
    from jarvisperf.runs.tables.parts import Part

COLUMNS = (*RUN_COLUMNS, *RESULT_COLUMNS)
# No extension of DuckDB is downloaded, whatever a statement needs.
CONFIG = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
MOST_MEMORY_BYTES, MOST_SPILLED_BYTES = 2 << 30, 20 << 30  # of a statement by somebody else
FREE_DISK_SHARE = 0.9  # DuckDB's own default
UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
LARGEST_ROW_BYTES = 1 << 20  # DuckDB rejects JSON of more than 16 MiB; a row of a stored run takes some hundred bytes
ROWS_PER_GROUP = 20_480  # of a Parquet file: those who read it in a bucket skip the groups of other benchmarks


class Tables:
    """The tables `results` (a row for each metric of each benchmark) and `runs` (a row for each run).

    To be used as a context manager. At first they hold only the runs that a part holds; see `read_others`.

    Args:
        store: The store.
        entries: The runs, as the store lists them.
        parts: The parts that may hold them.

    Attributes:
        connection: The connection to DuckDB.
        held: The paths of all runs in each readable part, listed or not.
        others: The runs that no part holds.
        warnings: Warnings for the user, one line each.

    Raises:
        MissingExtraError: The extra `history` is not installed.
    """

    def __init__(self, store: RunStore, entries: Sequence[RunEntry], parts: Iterable[Part]) -> None:
        require("history", "reading runs as tables")
        import duckdb

        self._store = store
        self._folder = tempfile.TemporaryDirectory(prefix="jarvisperf-tables-")
        self.connection: Any = duckdb.connect(config=CONFIG)
        self.connection.execute("SET enable_progress_bar = false")  # it would be printed between the results
        self.held: dict[Part, frozenset[str]] = {}
        self.warnings: list[str] = []
        listed = {entry.path: entry for entry in entries}
        files: dict[str, str] = {}
        for part, file in self._fetched(parts):
            try:
                self.held[part] = self._objects_in(file)
            except (duckdb.Error, ValueError) as error:
                self.warnings.append(_ignored(part, first_line(error)))
                continue
            files.update(dict.fromkeys((listed.keys() & self.held[part]) - files.keys(), file))
        self.others = [entry for path, entry in listed.items() if path not in files]
        self._create(files)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self._folder.cleanup()

    def read_others(self) -> int:
        """Read the runs that no part holds into the tables; a warning tells of each that cannot be read.

        Returns:
            The number of runs that were read.
        """
        paths = [Path(self._folder.name) / name for name in ("runs.json", "results.json")]
        count = 0
        with paths[0].open("wb") as runs, paths[1].open("wb") as results:
            for entry, content in self._store.read_each(self.others):
                try:
                    first, *others = _lines(entry, content)
                except (RunStoreError, UnreadableRunError) as error:
                    self.warnings.append(f"skipped: {error}")
                    continue
                count += 1
                runs.write(first + b"\n")
                results.writelines(line + b"\n" for line in others)
        if count:
            of_results = (RUN_COLUMNS[0], *RESULT_COLUMNS)
            self.connection.execute(
                f"INSERT INTO others SELECT {_names(COLUMNS)} FROM {_json(paths[0], RUN_COLUMNS)} AS one "  # noqa: S608
                f"LEFT JOIN {_json(paths[1], of_results)} AS many USING (object)"
            )
        return count

    def parquet(self) -> bytes:
        """Return the table `results` as a Parquet file, sorted by benchmark and time."""
        file = Path(self._folder.name) / "new.parquet"
        self.connection.execute(
            f"COPY (SELECT {_names(COLUMNS)} FROM every_row ORDER BY benchmark, metric, created, object, place) "  # noqa: S608
            f"TO {_text(str(file))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_PER_GROUP})"
        )
        return file.read_bytes()

    def confine(self) -> None:
        """Let no later statement reach a file, the network or an extension, except the parts, nor fill the machine."""
        memory = min(MOST_MEMORY_BYTES, self._default_memory_bytes())
        disk = min(MOST_SPILLED_BYTES, int(FREE_DISK_SHARE * shutil.disk_usage(self._folder.name).free))
        for setting in (
            f"memory_limit = '{memory:.0f} bytes'",
            f"max_temp_directory_size = '{disk} bytes'",
            f"allowed_directories = [{_text(self._folder.name + '/')}]",
            f"temp_directory = {_text(self._folder.name + '/spilled')}",  # not a folder where the command was called
            "enable_external_access = false",
            "python_enable_replacements = false",
            "lock_configuration = true",
        ):
            self.connection.execute(f"SET {setting}")

    def _default_memory_bytes(self) -> float:
        """Return how much memory DuckDB takes by default: a share of what the machine or its container has."""
        (limit,) = self.connection.execute("SELECT current_setting('memory_limit')").fetchone()
        number, unit = limit.split()
        return float(number) * UNITS[unit]

    def _fetched(self, parts: Iterable[Part]) -> Iterable[tuple[Part, str]]:
        """Copy parts into the temporary folder, and yield each with its file."""
        by_path = {part.path: part for part in parts}
        for path, content in read_each(self._store.place, by_path):
            part = by_path[path]
            if isinstance(content, FileNotFoundError):
                continue  # a newer one has just replaced it; its runs are read one by one
            if isinstance(content, RunStoreError):
                self.warnings.append(_ignored(part, str(content)))
            elif part_of(part.group, content) != part:
                self.warnings.append(_ignored(part, "its content does not match the digest in its name"))
            else:
                file = Path(self._folder.name) / f"{len(self.held)}-{part.digest}.parquet"
                file.write_bytes(content)
                yield part, str(file)

    def _objects_in(self, file: str) -> frozenset[str]:
        """Return the runs that a Parquet file holds.

        Raises:
            ValueError: It has other columns.
            duckdb.Error: It is not a Parquet file.
        """
        source = f"read_parquet({_text(file)})"
        columns = self.connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()  # noqa: S608
        if [(name, kind) for name, kind, *_ in columns] != [(column.name, column.type) for column in COLUMNS]:
            raise ValueError("it has other columns than this version of jarvisperf writes")
        found = self.connection.execute(f"SELECT DISTINCT object FROM {source}").fetchall()  # noqa: S608
        return frozenset(path for (path,) in found)

    def _create(self, files: dict[str, str]) -> None:
        """Create the tables, with the runs of which it is known which file holds them."""
        definitions = ", ".join(f'"{column.name}" {column.type}' for column in COLUMNS)
        self.connection.execute(f"CREATE TABLE others ({definitions})")
        self.connection.execute("CREATE TABLE chosen (object VARCHAR, file VARCHAR)")
        of_parts = "others"
        if files:
            self.connection.execute(
                "INSERT INTO chosen SELECT unnest(?), unnest(?)", [list(files), list(files.values())]
            )
            paths = ", ".join(map(_text, sorted(set(files.values()))))
            of_parts = (
                f"(SELECT {_names(COLUMNS)} FROM read_parquet([{paths}], filename = true) "  # noqa: S608
                "WHERE (object, filename) IN (SELECT (object, file) FROM chosen) UNION ALL FROM others)"
            )
        for view, query in (
            ("every_row", f"SELECT {_names(COLUMNS)} FROM {of_parts}"),  # noqa: S608
            ("results", "SELECT * FROM every_row WHERE benchmark IS NOT NULL"),
            ("runs", f"SELECT DISTINCT ON (object) {_names(RUN_COLUMNS)} FROM every_row"),  # noqa: S608
        ):
            self.connection.execute(f"CREATE VIEW {view} AS {query}")


def _lines(entry: RunEntry, content: bytes | RunStoreError) -> list[bytes]:
    """Return a run's row and then its results as JSON.

    Raises:
        RunStoreError: It cannot be read.
        UnreadableRunError: It is not a run, or has a text that a table cannot hold.
    """
    if isinstance(content, RunStoreError):
        raise content
    run = unpack(content, entry.path)
    try:
        lines = [run_row(entry, run), *result_rows(entry, run)]
    except UnicodeEncodeError as error:
        raise UnreadableRunError(f"{entry.path} has a text that is not Unicode: {error.object[:80]!r}") from None
    if max(map(len, lines)) > LARGEST_ROW_BYTES:
        raise UnreadableRunError(f"{entry.path} has a benchmark of more than {LARGEST_ROW_BYTES:,} bytes")
    return lines


def first_line(error: Exception) -> str:
    """Return what an error of DuckDB says, in one line, without the picture of the place in the statement."""
    told = str(error).partition("\n\nLINE ")[0]
    return "; ".join(line.strip() for line in told.splitlines() if line.strip()) or type(error).__name__


def _ignored(part: Part, reason: str) -> str:
    return f"ignored {part.path}: {reason}; its runs are read one by one until jarvisperf runs compact replaces it"


def _names(columns: Iterable[Any]) -> str:
    return ", ".join(f'"{column.name}"' for column in columns)


def _text(value: str) -> str:
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


def _json(file: Path, columns: Iterable[Any]) -> str:
    kinds = ", ".join(f"{_text(column.name)}: {_text(column.type)}" for column in columns)
    return f"read_json({_text(str(file))}, format = 'newline_delimited', columns = {{{kinds}}})"
