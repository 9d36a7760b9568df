"""`jarvisperf runs compact` and `jarvisperf runs sql`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from builders import metric, run_of

from jarvisperf.cli.main import main
from jarvisperf.cli.runs.memory_limit import more_memory_at_most
from jarvisperf.runs.model import Benchmark
from jarvisperf.runs.store import RunStore, open_store
from jarvisperf.runs.tables import database


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.chdir(tmp_path)
    store = open_store()
    for day, name in ((1, "main"), (2, "main"), (3, "other")):
        run = run_of(Benchmark(id="test_a.py::test_a", params={"n": "1"}, metrics={"time": metric(day / 1000)}))
        store.save(msgspec.structs.replace(run, created=f"2026-01-{day:02}T03:04:05+00:00"), name)
    return store


def test_runs_are_compacted_by_name_and_month(store: RunStore, capsys: pytest.CaptureFixture[str]):
    assert main(["runs", "compact"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" in ")[0] for line in lines[:2]] == ["main 2026-01: 2 runs", "other 2026-01: 1 run"]
    assert lines[2] == "2 Parquet objects written, 0 already up to date; the runs themselves stay"
    assert main(["runs", "compact", "--name", "main"]) == 0
    assert capsys.readouterr().out.startswith("0 Parquet objects written, 1 already up to date")
    assert main(["runs", "compact", "--rebuild"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("2 Parquet objects written")


@pytest.mark.parametrize("compacted", [False, True])
def test_a_query_is_answered_as_a_table(store: RunStore, capsys: pytest.CaptureFixture[str], compacted: bool):
    if compacted:
        assert main(["runs", "compact"]) == 0
        capsys.readouterr()
    statement = "SELECT name, created, median, params, error FROM results ORDER BY created"
    assert main(["runs", "sql", statement, "--name", "main"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "name  created              median  params  error",
        "main  2026-01-01 03:04:05  0.001   n=1     -",
        "main  2026-01-02 03:04:05  0.002   n=1     -",
    ]


def test_a_query_is_answered_as_json(store: RunStore, capsys: pytest.CaptureFixture[str]):
    statement = (
        "SELECT name, max(created) AS newest, count(*) AS runs, 1/0 AS nothing FROM runs GROUP BY name ORDER BY 1"
    )
    assert main(["runs", "sql", statement, "--json", "--since", "2026-01-02"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"name": "main", "newest": "2026-01-02T03:04:05", "runs": 1, "nothing": None},
        {"name": "other", "newest": "2026-01-03T03:04:05", "runs": 1, "nothing": None},
    ]


def test_what_others_named_does_not_act_on_the_terminal(store: RunStore, capsys: pytest.CaptureFixture[str]):
    store.save(run_of(Benchmark(id="\x1b[31m::error::x", metrics={"time": metric(1.0)})), "hostile")
    assert main(["runs", "sql", "SELECT benchmark FROM results", "--name", "hostile"]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELEC 1", 'Parser Error: syntax error at or near "SELEC"'),
        (
            "SELECT nope FROM runs",
            'Binder Error: Referenced column "nope" not found in FROM clause!; Candidate bindings: ',
        ),
        ("SELECT 1; SELECT 2", "'SELECT 1; SELECT 2' is not a single query; give one SELECT, like: "),
        ("", "'' is not a single query"),
        ("DROP TABLE others", "'DROP TABLE others' is not a single query"),
        ("COPY (SELECT 1) TO 'out.csv'", " is not a single query"),
        ("SET enable_external_access = true", " is not a single query"),
        ("SELECT * FROM read_text('pytest.ini')", "Permission Error: Cannot access file"),
        ("SELECT cast('x' AS INTEGER)", "Conversion Error: "),
        ("SELECT repeat('x', 10000000000)", "Out of Range Error: Cannot create a string of size"),
    ],
)
def test_what_cannot_be_answered_is_one_line(
    store: RunStore, capsys: pytest.CaptureFixture[str], statement: str, message: str
):
    Path("pytest.ini").write_text("[pytest]\n")
    assert main(["runs", "sql", statement]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("jarvisperf: ")
    assert message in line
    assert not Path("out.csv").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["list", "--json"],
        ["prune", "--keep", "1"],
        ["compact"],
        ["sql", "SELECT 1"],
        ["show", "main"],
        ["diff", "main", "main"],
    ],
)
def test_a_store_that_does_not_exist_is_an_error(store: RunStore, capsys: pytest.CaptureFixture[str], words: list[str]):
    assert main(["runs", *words, "--store", "nowhere"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("nowhere does not exist; store one: pytest --jarvis-bench --jarvis-save NAME")


def test_the_tables_of_an_empty_store_are_empty(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    assert main(["runs", "sql", "SELECT count(*) AS runs FROM runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"runs": 0}]
    assert main(["runs", "compact"]) == 0


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("statement", ["select unnest(range(1000001))", "select repeat('x', 200000001)"])
def test_an_answer_that_nobody_can_read_is_refused(statement: str, capsys: pytest.CaptureFixture[str]):
    assert main(["runs", "sql", statement]) == 1
    assert "aggregate, or add a LIMIT" in capsys.readouterr().err


@pytest.mark.usefixtures("store")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a process")
def test_a_query_that_takes_too_much_memory_is_one_line():
    command = "from jarvisperf.cli.main import main; raise SystemExit(main())"
    statement = "select length(repeat(repeat('x', 4096), 1048575))"  # 4 GB, which one allocation asks for
    done = subprocess.run(
        [sys.executable, "-c", command, "runs", "sql", statement], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "jarvisperf: the query needs more than it gets: at most 3 GiB of memory and 20 GiB of disk; "
        "choose fewer columns or rows, or aggregate\n"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a process")
def test_a_limit_of_memory_ends_with_its_block():
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_AS)
    with more_memory_at_most(1 << 40):
        assert resource.getrlimit(resource.RLIMIT_AS)[0] > 1 << 40
    assert resource.getrlimit(resource.RLIMIT_AS) == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a process")
def test_a_lower_limit_of_memory_stays():
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_AS)
    with more_memory_at_most(1 << 40):
        lower = resource.getrlimit(resource.RLIMIT_AS)
        with more_memory_at_most(1 << 41):
            assert resource.getrlimit(resource.RLIMIT_AS) == lower
        assert resource.getrlimit(resource.RLIMIT_AS) == lower
    assert resource.getrlimit(resource.RLIMIT_AS) == before


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("memory", "free_disk", "limits"),
    [
        ("16 GiB", 100 << 30, {"memory": "2.0 GiB", "disk": "20.0 GiB"}),
        ("700 MiB", 10 << 30, {"memory": "700.0 MiB", "disk": "9.0 GiB"}),
    ],
    ids=["much", "little"],
)
def test_duckdb_gets_a_share_of_the_memory_and_of_the_disk(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    memory: str,
    free_disk: int,
    limits: dict[str, str],
):
    monkeypatch.setitem(database.CONFIG, "memory_limit", memory)  # as if the machine had somewhat more
    monkeypatch.setattr(database.shutil, "disk_usage", lambda _: SimpleNamespace(free=free_disk))
    settings = "current_setting('memory_limit') as memory, current_setting('max_temp_directory_size') as disk"
    assert main(["runs", "sql", f"select {settings}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [limits]


@pytest.mark.usefixtures("store")
def test_a_table_shows_the_beginning_of_a_long_text_and_json_the_whole(capsys: pytest.CaptureFixture[str]):
    statement = "select repeat('x', 5000) as long, 1 as short from range(2)"
    assert main(["runs", "sql", statement]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) < 1_100
    assert main(["runs", "sql", statement, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"long": "x" * 5000, "short": 1}] * 2


@pytest.mark.usefixtures("store")
def test_a_large_query_spills_into_a_folder_that_is_removed(capsys: pytest.CaptureFixture[str]):
    assert main(["runs", "sql", "select current_setting('temp_directory') as folder", "--json"]) == 0
    folder = Path(json.loads(capsys.readouterr().out)[0]["folder"])
    assert folder.is_absolute()
    assert not folder.exists()
