"""`jarvisperf runs`."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from builders import MACHINE, metric, run_of

from jarvisperf.cli.main import main
from jarvisperf.runs.commit import Commit
from jarvisperf.runs.model import Benchmark, Run
from jarvisperf.runs.store import RunEntry, RunStore, open_store
from jarvisperf.runs.summary import summarize


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.chdir(tmp_path)
    return open_store()


def save(store: RunStore, name: str = "main", minute: int = 0, seconds: float = 1e-3, **changes) -> RunEntry:
    run: Run = msgspec.structs.replace(
        run_of(Benchmark(id="test_a.py::test_a", metrics={"time": metric(seconds)})),
        created=f"2026-01-02T03:{minute:02}:05+00:00",
        **changes,
    )
    return store.save(run, name).entry


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_runs_are_listed_newest_first(store: RunStore, capsys: pytest.CaptureFixture[str]):
    old, new = save(store, minute=1), save(store, "feature/x", minute=2)
    assert main(["runs", "list"]) == 0
    header, first, second = lines(capsys)
    assert header.split() == ["name", "created", "(UTC)", "commit", "machine", "run"]
    assert first.split() == ["feature/x", "2026-01-02", "03:02:05", "0123456789ab", MACHINE.fingerprint, new.token]
    assert second.split()[-1] == old.token


def test_runs_are_listed_by_name_and_as_json(store: RunStore, capsys: pytest.CaptureFixture[str]):
    save(store, "other")
    entry = save(store)
    assert main(["runs", "list", "--name", "main", "--json"]) == 0
    assert msgspec.convert(json.loads(capsys.readouterr().out), list[RunEntry]) == [entry]


def test_an_empty_store_is_no_error(store: RunStore, capsys: pytest.CaptureFixture[str]):
    assert main(["runs", "list", "--name", "main"]) == 0
    said = lines(capsys)[0]
    assert said.endswith(".jarvisperf holds no runs under 'main'; store one: pytest --jarvis-bench --jarvis-save main")
    assert main(["runs", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_the_store_may_be_any_url(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    save(open_store(tmp_path / "kept"))
    assert main(["runs", "list", "--store", f"file://{tmp_path}/kept"]) == 0
    assert len(lines(capsys)) == 2


def test_runs_in_the_outbox_are_mentioned(store: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "kept").write_text("in the way")
    blocked = open_store("kept")
    save(blocked)
    (tmp_path / "kept").unlink()
    assert main(["runs", "list", "--store", "kept"]) == 0
    assert "1 run waits in the outbox" in capsys.readouterr().err


@pytest.mark.parametrize("forms", ["token", "name", "commit", "latest"])
def test_a_run_is_shown(store: RunStore, capsys: pytest.CaptureFixture[str], forms: str):
    entry = save(store, seconds=2.5e-3)
    selector = {"token": entry.token, "name": "main", "commit": "0123456", "latest": "latest"}[forms]
    assert main(["runs", "show", selector]) == 0
    shown = capsys.readouterr().out
    assert f"run {entry.token} under main" in shown
    assert "2.500 ms" in shown
    assert MACHINE.cpu in shown


def test_a_run_is_shown_as_it_is_stored(store: RunStore, capsys: pytest.CaptureFixture[str]):
    entry = save(store)
    assert main(["runs", "show", "main", "--json"]) == 0
    assert msgspec.json.decode(capsys.readouterr().out, type=Run) == store.load(entry)


def test_a_difference_begins_with_what_differs_around_the_runs(store: RunStore, capsys: pytest.CaptureFixture[str]):
    save(store, "a", yardstick={"interpreter": summarize([1e-3])})
    other = msgspec.structs.replace(MACHINE, python="CPython 3.12.0", packages={"numpy": "2.0"})
    commit = Commit(id="f" * 40, time="", branch="topic", dirty=True)
    save(store, "b", seconds=3e-3, machine=other, commit=commit, yardstick={"interpreter": summarize([2e-3])})
    assert main(["runs", "diff", "a", "b"]) == 0
    shown = lines(capsys)
    empty = shown.index("")
    differing = {line.split("  ")[0] for line in shown[1:empty]}
    assert differing == {"commit", "branch", "python", "jarvisperf", "numpy", "yardstick interpreter"}
    assert "ffffffffffff (changed)" in shown[1]
    assert shown[empty + 2].split() == [
        "test_a.py::test_a",
        "time",
        "1.000",
        "ms",
        "3.000",
        "ms",
        "3.0x",
        "slower",
        "1.5x",
        "slower",
    ]
    assert shown[-1].endswith("not a verdict.")


def test_a_difference_shows_what_only_one_run_has(store: RunStore, capsys: pytest.CaptureFixture[str]):
    save(store, "a")
    store.save(run_of(Benchmark(id="other", metrics={"memory": metric(2048.0, unit="B")})), "b")
    assert main(["runs", "diff", "a", "b"]) == 0
    shown = [line.split() for line in lines(capsys)]
    assert shown[0][:3] == ["Machine,", "packages", "and"]
    assert ["benchmark", "metric", "A", "B"] in shown, "no change, so there is no column for one"
    assert ["test_a.py::test_a", "time", "1.000", "ms", "-"] in shown
    assert ["other", "memory", "-", "2.000", "KiB"] in shown


def test_the_run_before_is_asked_for_with_a_tilde(store: RunStore, capsys: pytest.CaptureFixture[str]):
    save(store, minute=1, seconds=1e-3)
    save(store, minute=2, seconds=2e-3)
    assert main(["runs", "diff", "main~1", "main"]) == 0
    assert "2.0x slower" in capsys.readouterr().out


def test_old_runs_are_pruned(store: RunStore, capsys: pytest.CaptureFixture[str]):
    kept = [save(store, minute=minute) for minute in range(5)][::-1][:2]
    other = save(store, "other")
    assert main(["runs", "prune", "--keep", "2", "--dry-run"]) == 0
    assert lines(capsys)[-1] == "3 runs to delete"
    assert len(store.entries()) == 6
    assert main(["runs", "prune", "--keep", "2"]) == 0
    assert lines(capsys)[-1] == "3 runs deleted"
    assert store.entries("main") == kept
    assert store.entries("other") == [other]


def test_only_one_name_is_pruned(store: RunStore):
    for minute in range(2):
        save(store, "main", minute)
        save(store, "other", minute)
    assert main(["runs", "prune", "--keep", "1", "--name", "other"]) == 0
    assert (len(store.entries("main")), len(store.entries("other"))) == (2, 1)


PYTEST_BENCHMARK = {
    "datetime": "2020-01-01T00:00:00",
    "benchmarks": [
        {
            "fullname": "test_a.py::test_a",
            "stats": {
                "min": 1.0,
                "max": 5.0,
                "mean": 3.0,
                "stddev": 1.0,
                "median": 3.0,
                "q1": 2.0,
                "q3": 4.0,
                "rounds": 5,
            },
        }
    ],
}


def test_files_of_pytest_benchmark_are_imported_once(
    store: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / ".benchmarks" / "Linux-CPython-3.11-64bit"
    folder.mkdir(parents=True)
    for number in (1, 2):
        content = PYTEST_BENCHMARK | {"datetime": f"2020-01-0{number}T00:00:00"}
        (folder / f"000{number}_x.json").write_text(json.dumps(content))
    for _ in range(2):
        assert main(["runs", "import", ".benchmarks", "--name", "main"]) == 0
        first, _, last = lines(capsys)
        assert ": 1 benchmark, run " in first
        assert last == "2 runs stored under main"
    assert [entry.created.day for entry in store.entries("main")] == [2, 1]
    assert store.load(store.entries()[0]).benchmarks[0].metrics["time"].summary.median == 3.0


def test_a_bad_file_does_not_keep_the_good_ones_out(
    store: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "good.json").write_text(json.dumps(PYTEST_BENCHMARK))
    assert main(["runs", "import", "bad.json", "absent.json", "good.json", "--name", "main"]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert errors[0].startswith("jarvisperf: bad.json is not a file of pytest-benchmark: ")
    assert errors[1] == "jarvisperf: absent.json does not exist"
    assert len(store.entries("main")) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "mian"], "has no run 'mian'; its names are: main"),
        (["show", "main~7"], "'main' has 1 run in "),
        (["show", "main~x"], "'main~x' does not select a run; allowed are a name"),
        (["diff", "main", "fffffff"], "has no run 'fffffff'"),
        (["list", "--store", "nothing://x"], "nothing://x cannot be opened: ValueError: Protocol not known: nothing"),
        (["list", "--store", "file"], "cannot be listed: not a directory"),
        (["import", "empty", "--name", "main"], "empty holds no JSON files"),
    ],
)
def test_what_goes_wrong_is_one_line_and_status_1(
    store: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
):
    save(store)
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    assert main(["runs", *words]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("jarvisperf: ")
    assert message in errors[0]


def test_a_damaged_run_is_one_line_and_status_1(store: RunStore, capsys: pytest.CaptureFixture[str]):
    path = Path(".jarvisperf") / save(store).path
    path.write_bytes(path.read_bytes()[:50])
    assert main(["runs", "show", "main"]) == 1
    assert "is truncated: it ends after 50 bytes" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nothing"],
        ["show"],
        ["diff", "one"],
        ["prune"],
        ["prune", "--keep", "0"],
        ["prune", "--keep", "some"],
        ["import", "file.json"],
        ["import", "file.json", "--name", "../x"],
        ["list", "--name", "a b"],
    ],
)
def test_wrong_words_are_a_usage_error(store: RunStore, words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main(["runs", *words])
    assert stop.value.code == 2
    assert "usage: jarvisperf runs" in capsys.readouterr().err
