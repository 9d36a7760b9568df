"""Tests of runs as tables: what the Parquet objects hold, when they are replaced, and that they are never trusted."""

from __future__ import annotations

from pathlib import Path

import duckdb
import msgspec
import pytest
from builders import metric, run_of

from jarvisperf.history import read_history
from jarvisperf.runs.files import pack
from jarvisperf.runs.model import Benchmark
from jarvisperf.runs.store import RunEntry, RunStore, open_store
from jarvisperf.runs.tables import Tables, compact, group_of, list_parts
from jarvisperf.runs.tables.database import COLUMNS
from jarvisperf.runs.tables.parts import Group, Part, parse_part, part_of


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return open_store(tmp_path / "store", tmp_path)


def save(store: RunStore, month: int = 1, day: int = 1, name: str = "main", seconds: float = 1e-3) -> RunEntry:
    run = run_of(
        Benchmark(
            id="test_a.py::test_a[1]",
            group="sums",
            params={"size": "1"},
            metrics={"time": metric(seconds), "memory": metric(2048.0, unit="B")},
            yardstick={"interpreter": 1e-3, "memory": 4e-3},
        ),
        Benchmark(id="test_a.py::test_broken", error="ValueError: no"),
    )
    return store.save(msgspec.structs.replace(run, created=f"2026-{month:02}-{day:02}T00:00:00+00:00"), name).entry


def parts_of(store: RunStore) -> list[Part]:
    return [part for path in store.place.paths("parquet/1") if (part := parse_part(path)) is not None]


def query(store: RunStore, statement: str, warnings: list[str] | None = None) -> list[tuple]:
    entries = store.entries()
    with Tables(store, entries, list_parts(store.place, {group_of(entry) for entry in entries})) as tables:
        tables.read_others()
        if warnings is not None:
            warnings += tables.warnings
        return tables.connection.execute(statement).fetchall()


def outcomes(store: RunStore) -> list[tuple[str, str, int, bool]]:
    return [(done.group.name, done.group.month, done.runs, done.bytes is not None) for done in compact(store)]


def test_there_is_one_part_per_name_and_month(store: RunStore):
    save(store, 1), save(store, 1, 2), save(store, 2), save(store, 1, name="feature/x")
    assert outcomes(store) == [
        ("feature/x", "2026-01", 1, True),
        ("main", "2026-01", 2, True),
        ("main", "2026-02", 1, True),
    ]
    assert sorted(part.group for part in parts_of(store)) == [
        Group("feature/x", "2026-01"),
        Group("main", "2026-01"),
        Group("main", "2026-02"),
    ]


def test_a_second_compaction_writes_nothing(store: RunStore):
    save(store)
    list(compact(store))
    before = parts_of(store)
    assert outcomes(store) == [("main", "2026-01", 1, False)]
    assert parts_of(store) == before


def test_a_new_run_replaces_the_part_of_its_month_only(store: RunStore):
    save(store, 1), save(store, 2)
    list(compact(store))
    old, kept = sorted(parts_of(store))
    save(store, 1, 2)
    assert outcomes(store) == [("main", "2026-01", 2, True), ("main", "2026-02", 1, False)]
    assert kept in parts_of(store)
    assert old not in parts_of(store)
    assert len(parts_of(store)) == 2


def test_a_pruned_run_disappears_at_once_and_from_the_part_with_the_next_compaction(store: RunStore):
    first, second = save(store, 1), save(store, 1, 2)
    list(compact(store))
    store.delete(first)
    assert query(store, "SELECT DISTINCT object FROM results") == [(second.path,)]
    assert outcomes(store) == [("main", "2026-01", 1, True)]
    store.delete(second)
    assert outcomes(store) == [("main", "2026-01", 0, False)]
    assert parts_of(store) == []


def test_the_runs_themselves_stay(store: RunStore):
    entry = save(store)
    before = store.place.read(entry.path)
    list(compact(store))
    assert store.entries() == [entry]
    assert store.place.read(entry.path) == before


def test_a_run_in_two_parts_is_there_once(store: RunStore):
    save(store, 1)
    list(compact(store))
    (old,) = parts_of(store)
    content = store.place.read(old.path)
    save(store, 1, 2)
    list(compact(store))
    store.place.write(old.path, content)  # as if another compaction had been slower
    assert query(store, "SELECT count(*), count(DISTINCT object) FROM runs") == [(2, 2)]
    assert query(store, "SELECT count(*) FROM results WHERE metric = 'time'") == [(2,)]
    assert outcomes(store) == [("main", "2026-01", 2, True)]
    assert len(parts_of(store)) == 1


def test_tables_are_the_same_before_and_after_compaction(store: RunStore):
    save(store, 1), save(store, 2, seconds=0.1 + 0.2)
    statement = "SELECT * FROM results ORDER BY object, place"
    before = query(store, statement)
    list(compact(store))
    assert query(store, statement) == before
    assert len(before) == 6
    names = [column.name for column in COLUMNS]
    by_name = dict(zip(names, before[0], strict=True))
    assert (by_name["benchmark"], by_name["params"], by_name["group_name"]) == (
        "test_a.py::test_a[1]",
        {"size": "1"},
        "sums",
    )
    assert (by_name["median"], by_name["unit"], by_name["yardstick"]) == (1e-3, "s", pytest.approx(2e-3))
    assert [row[[column.name for column in COLUMNS].index("error")] for row in before[:3]] == [
        None,
        None,
        "ValueError: no",
    ]


def test_anyone_with_duckdb_can_read_the_files(store: RunStore, tmp_path: Path):
    save(store, 1), save(store, 2)
    list(compact(store))
    found = duckdb.sql(f"SELECT count(DISTINCT run) FROM '{tmp_path}/store/parquet/1/main/*.parquet'").fetchall()
    assert found == [(2,)]


@pytest.mark.parametrize("damage", [b"", b"no parquet", None])
def test_a_damaged_part_is_ignored_with_a_warning_and_replaced(store: RunStore, damage: bytes | None):
    save(store, 1), save(store, 1, 2)
    list(compact(store))
    (part,) = parts_of(store)
    content = store.place.read(part.path)
    store.place.write(part.path, content[:-1] + b"!" if damage is None else damage)
    warnings: list[str] = []
    assert query(store, "SELECT count(*) FROM runs", warnings) == [(2,)]
    (warning,) = warnings
    assert warning.startswith(f"ignored {part.path}: its content does not match the digest in its name; its runs are")
    assert warning.endswith("read one by one until jarvisperf runs compact replaces it")
    assert outcomes(store) == [("main", "2026-01", 2, True)]
    assert store.place.read(part.path) == content


def test_a_part_with_other_columns_is_ignored(store: RunStore, tmp_path: Path):
    entry = save(store)
    file = tmp_path / "other.parquet"
    duckdb.sql(f"COPY (SELECT '{entry.path}' AS object, 'lies' AS benchmark) TO '{file}' (FORMAT parquet)")
    foreign = part_of(group_of(entry), file.read_bytes())
    store.place.write(foreign.path, file.read_bytes())
    warnings: list[str] = []
    assert query(store, "SELECT DISTINCT benchmark FROM results ORDER BY ALL", warnings)[0] == ("test_a.py::test_a[1]",)
    assert "it has other columns than this version of jarvisperf writes" in warnings[0]
    assert outcomes(store) == [("main", "2026-01", 1, True)]
    assert foreign not in parts_of(store)


def test_a_lying_part_changes_neither_which_runs_there_are_nor_what_a_comparison_reads(store: RunStore, tmp_path: Path):
    entry = save(store, seconds=1e-3)
    list(compact(store))
    (honest,) = parts_of(store)
    file = tmp_path / "lie.parquet"
    source = f"'{tmp_path}/store/{honest.path}'"
    duckdb.sql(
        f"COPY (SELECT * REPLACE (9.0 AS median) FROM {source} UNION ALL "
        f"SELECT * REPLACE ('runs/main/invented' AS object) FROM {source}) TO '{file}' (FORMAT parquet)"
    )
    store.place.delete(honest.path)
    store.place.write(part_of(honest.group, file.read_bytes()).path, file.read_bytes())

    assert store.entries() == [entry]
    assert store.find("main").entries == (entry,)
    (loaded,) = store.load_readable(store.entries()).runs
    assert loaded[1].benchmarks[0].metrics["time"].summary.median == 1e-3
    assert query(store, "SELECT object FROM runs") == [(entry.path,)]
    list(compact(store, rebuild=True))
    assert query(store, "SELECT median FROM results WHERE metric = 'time'") == [(1e-3,)]


def test_an_unreadable_run_does_not_hide_the_others(store: RunStore):
    good, bad = save(store, 1), save(store, 1, 2)
    store.place.write(bad.path, b"no run")
    (done,) = compact(store)
    assert (done.runs, done.bytes is not None) == (1, True)
    assert done.warnings[0].startswith(f"skipped: {bad.path} is damaged or not a run")
    (again,) = compact(store)
    assert again.bytes is None
    assert query(store, "SELECT DISTINCT object FROM results") == [(good.path,)]


def test_figures_and_texts_that_no_column_can_hold_harm_only_themselves(store: RunStore):
    good, odd, huge = save(store, 1), save(store, 1, 2), save(store, 1, 3)
    run = store.load(odd)
    machine = msgspec.structs.replace(run.machine, cores=10**30)
    texts = Benchmark(id="nul\0 and 'quotes'", metrics={"time": metric(1e308)})
    store.place.write(odd.path, pack(msgspec.structs.replace(run, machine=machine, benchmarks=(texts,))))
    long = msgspec.structs.replace(run, machine=msgspec.structs.replace(run.machine, cpu="x" * (2 << 20)))
    store.place.write(huge.path, pack(long))
    (done,) = compact(store)
    assert done.runs == 2
    assert done.warnings == (f"skipped: {huge.path} has a benchmark of more than 1,048,576 bytes",)
    assert query(store, f"SELECT cores, benchmark, max FROM results WHERE object = '{odd.path}'") == [
        (None, "nul\0 and 'quotes'", 1e308)
    ]
    assert (good.path,) in query(store, "SELECT object FROM runs")


def test_the_history_is_the_same_from_runs_and_from_parts(store: RunStore):
    for day in range(1, 25):
        save(store, 1, day, seconds=1e-3 * (2 if day > 12 else 1) * (1 + day % 3 / 100))
    entries = store.entries()
    before = read_history(store, entries)
    list(compact(store))
    newer = save(store, 2)
    assert read_history(store, entries) == before
    assert before.series["test_a.py::test_a[1]"]["time"].changes
    assert read_history(store, [newer, *entries], frozenset({"test_a.py::test_a[1]"}), "memory").series.keys() == {
        "test_a.py::test_a[1]"
    }
    assert read_history(store, entries, frozenset()).series == {}
    for all_of_them in (entries, [*entries, newer]):
        assert read_history(store, all_of_them, containing="broken").series == {}
        assert len(read_history(store, all_of_them, containing="test_a[1", metric="time").series) == 1


def test_a_confined_connection_reaches_nothing_but_the_tables(store: RunStore, tmp_path: Path):
    save(store)
    list(compact(store))
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    entries = store.entries()
    with Tables(store, entries, list_parts(store.place, {group_of(entry) for entry in entries})) as tables:
        tables.confine()
        assert tables.connection.execute("SELECT count(*) FROM runs").fetchall() == [(1,)]
        for statement in (
            f"SELECT * FROM '{secret}'",
            f"SELECT * FROM read_text('{secret}')",
            f"SELECT * FROM glob('{tmp_path}/*')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            f"ATTACH '{tmp_path}/out.db'",
            "SELECT * FROM 'https://example.org/x.parquet'",
            "INSTALL httpfs",
            "SET enable_external_access = true",
            "SELECT * FROM entries",
        ):
            with pytest.raises(duckdb.Error):
                tables.connection.execute(statement).fetchall()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.csv", "store"]
