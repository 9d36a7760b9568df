"""Tests `jarvisperf report`, `compare`, `merge`, `history`, `bisect` and `completion`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from builders import metric, run_of
from report.made import compared

from jarvisperf.cli.common import guarded
from jarvisperf.cli.main import main, make_parser
from jarvisperf.report.formats.json import decode_findings, encode_findings
from jarvisperf.runs.files import encode_run
from jarvisperf.runs.model import Benchmark, Run
from jarvisperf.runs.store import RunStore, open_store

ID = "test_a.py::test_a"
COMMAND = "from jarvisperf.cli.main import main; raise SystemExit(main())"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return open_store(".jarvisperf")


def run(seconds: float = 1e-3, day: int = 1, size: float = 1_000.0) -> Run:
    made = run_of(
        Benchmark(id=ID, metrics={"time": metric(seconds), "memory": metric(size, unit="B")}),
    )
    return msgspec.structs.replace(made, created=f"2026-01-{day:02}T00:00:00+00:00")


def save(store: RunStore, count: int = 12, step: float = 1.0, size: float = 1_000.0) -> None:
    for day in range(1, count + 1):
        last = day == count
        store.save(run(1e-3 * (step if last else 1) * (1 + day % 3 / 1000), day, size if last else 1_000.0), "main")


def test_a_report_of_the_newest_run_is_written_in_every_format(store: RunStore, capsys: pytest.CaptureFixture[str]):
    save(store)
    assert main(["report"]) == 0
    names = {path.name for path in Path("reports").rglob("*") if path.is_file()}
    assert {
        "report.html",
        "report.json",
        "report.md",
        "report.txt",
        "report.csv",
        "metrics.txt",
        "history.svg",
    } <= names
    assert "12 stored runs" in Path("reports/report.html").read_text()
    assert "Report in reports:" in capsys.readouterr().out


def test_without_a_run_the_report_that_is_there_is_shown_and_stays(store: RunStore, capsys: pytest.CaptureFixture[str]):
    save(store)
    Path("reports").mkdir()
    Path("reports/report.json").write_bytes(encode_findings(compared(5)))
    before = Path("reports/report.json").read_bytes()
    assert main(["report"]) == 0
    assert Path("reports/report.json").read_bytes() == before
    out = capsys.readouterr().out
    assert out.startswith("reports: ")
    assert "in lockstep, 2026-" in out.splitlines()[0]
    assert "5 benchmarks" in out.splitlines()[0]


def test_a_stored_run_replaces_a_comparison_only_by_force(store: RunStore, capsys: pytest.CaptureFixture[str]):
    save(store)
    Path("reports").mkdir()
    Path("reports/report.json").write_bytes(encode_findings(compared(5)))
    before = Path("reports/report.json").read_bytes()
    assert main(["report", "main"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("jarvisperf: reports holds a comparison (")
    assert err.endswith("; add -o with another folder, or --force\n")
    assert Path("reports/report.json").read_bytes() == before
    assert main(["report", "main", "-o", "pages"]) == 0
    assert "run r" in capsys.readouterr().out.splitlines()[0]
    assert main(["report", "--force"]) == 0
    assert decode_findings(Path("reports/report.json").read_bytes()).mode == "record"
    assert main(["report", "main~1"]) == 0  # what is no comparison may be replaced


def test_a_report_of_a_newer_version_is_not_replaced_by_accident(store: RunStore, capsys: pytest.CaptureFixture[str]):
    save(store)
    Path("reports").mkdir()
    Path("reports/report.json").write_text('{"schema": "jarvisperf.report/99"}')
    assert main(["report", "main"]) == 1
    assert "reports/report.json cannot be read (" in capsys.readouterr().err
    assert main(["report", "main", "--force"]) == 0


def test_a_report_of_a_report_is_the_same_report(store: RunStore, tmp_path: Path):
    Path("old.json").write_bytes(encode_findings(compared(5)))
    assert main(["report", "old.json", "--out", "pages"]) == 0
    assert decode_findings((tmp_path / "pages" / "report.json").read_bytes()) == compared(5)


def test_two_runs_are_compared_and_a_regression_ends_with_1(store: RunStore, capsys: pytest.CaptureFixture[str]):
    save(store, step=1.5)
    assert main(["compare", "main~1", "main"]) == 1
    shown = capsys.readouterr().out
    assert "1 of 1 regressed" in shown
    assert main(["compare", "main~2", "main~1"]) == 0


def test_files_are_compared_too_and_json_is_for_programs(store: RunStore, capsys: pytest.CaptureFixture[str]):
    Path("a.json").write_bytes(encode_run(run(size=1_000.0)))
    Path("b.json").write_bytes(encode_run(run(size=5_000.0)))
    assert main(["compare", "a.json", "b.json", "--json"]) == 1
    findings = decode_findings(capsys.readouterr().out.encode())
    assert findings.benchmarks[0].metrics["memory"].verdict == "regressed"
    assert main(["compare", "a.json", "b.json", "--threshold", "off"]) == 0


def test_shards_are_joined_to_one_report(store: RunStore, capsys: pytest.CaptureFixture[str]):
    whole = compared(8)
    for number in (1, 2):
        part = msgspec.structs.replace(whole, benchmarks=whole.benchmarks[number - 1 :: 2], shard=f"{number}/2")
        Path(f"part{number}").mkdir()
        Path(f"part{number}/report.json").write_bytes(encode_findings(part))
    assert main(["merge", "part2", "part1/report.json", "--out", "joined", "--save", "ci"]) == 1
    joined = decode_findings(Path("joined/report.json").read_bytes())
    assert {one.id for one in joined.benchmarks} == {one.id for one in whole.benchmarks}
    assert joined.shard is None
    assert store.entries("ci")
    assert main(["merge", "part1", "--out", "joined"]) == 1
    assert "part 2/2 is missing" in capsys.readouterr().err
    assert main(["merge", "part1", "part1", "part2"]) == 1
    assert "part 1/2 was passed twice" in capsys.readouterr().err
    odd = msgspec.structs.replace(whole, shard="\n::error::forged")
    Path("odd.json").write_bytes(encode_findings(odd))
    assert main(["merge", "odd.json", "part1"]) == 1
    error = capsys.readouterr().err
    assert "a report is of no part of a suite" in error
    assert error.count("\n") == 1


def test_a_part_that_measured_nothing_is_not_joined(store: RunStore, capsys: pytest.CaptureFixture[str]):
    whole = compared(2)
    for number, benchmarks in ((1, whole.benchmarks), (2, ())):
        part = msgspec.structs.replace(whole, benchmarks=benchmarks, shard=f"{number}/2")
        Path(f"part{number}.json").write_bytes(encode_findings(part))
    assert main(["merge", "part1.json", "part2.json"]) == 1
    assert "part 2/2 measured no benchmark: cut the suite into fewer parts" in capsys.readouterr().err


def test_a_benchmark_that_is_gone_is_a_failure_unless_that_is_allowed(
    store: RunStore, capsys: pytest.CaptureFixture[str]
):
    other = Benchmark(id="test_a.py::test_gone", metrics={"time": metric(1.0)})
    Path("a.json").write_bytes(encode_run(msgspec.structs.replace(run(), benchmarks=(*run().benchmarks, other))))
    Path("b.json").write_bytes(encode_run(run()))
    assert main(["compare", "a.json", "b.json"]) == 1
    assert "1 missing" in capsys.readouterr().out
    assert main(["compare", "a.json", "b.json", "--allow-missing"]) == 0
    assert "1 missing" in capsys.readouterr().out


def test_runs_without_a_common_benchmark_are_a_failure_whatever_is_allowed(
    store: RunStore, capsys: pytest.CaptureFixture[str]
):
    other = Benchmark(id="test_a.py::test_other", metrics={"time": metric(1.0)})
    Path("a.json").write_bytes(encode_run(msgspec.structs.replace(run(), benchmarks=(other,))))
    Path("b.json").write_bytes(encode_run(run()))
    assert main(["compare", "a.json", "b.json", "--allow-missing"]) == 1
    assert "nothing was compared: no benchmark has figures in a.json and in b.json" in capsys.readouterr().err


def test_parts_that_measured_other_commits_are_not_joined(store: RunStore, capsys: pytest.CaptureFixture[str]):
    first = msgspec.structs.replace(compared(2), shard="1/2")
    other = msgspec.structs.replace(compared(2), shard="2/2", head=msgspec.structs.replace(first.head, commit="c" * 40))
    for name, part in (("a.json", first), ("b.json", other)):
        Path(name).write_bytes(encode_findings(part))
    assert main(["merge", "a.json", "b.json"]) == 1
    assert f"head is {first.head.commit[:12]}" in (shown := capsys.readouterr().err)
    assert " in part 1/2, but cccccccccccc" in shown


def test_a_history_names_the_run_at_which_it_changed(store: RunStore, capsys: pytest.CaptureFixture[str]):
    for day in range(1, 29):
        store.save(run(1e-3 * (1.4 if day > 14 else 1) * (1 + day % 3 / 1000), day), "main")
    assert main(["history"]) == 0
    shown = capsys.readouterr().out
    assert "1 benchmark in 28 runs: 1 change" in shown
    assert "2026-01-15 00:00" in shown
    assert main(["history", "test_a", "--plot", "plot.svg", "--metric", "time"]) == 0
    assert "<- 40% slower since here" in capsys.readouterr().out
    assert Path("plot.svg").read_text().startswith("<?xml")
    assert main(["history", "--since", "2026-01-20", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert len(data["occasions"]) == 9


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["report"], "reports holds no report, and {} no runs; measure: pytest --jarvis-bench"),
        (["report", "main"], "{} holds no runs; store one: pytest --jarvis-bench --jarvis-save NAME"),
        (["compare", "main~1", "main"], "{} holds no runs; store one: pytest --jarvis-bench --jarvis-save NAME"),
        (["history"], "{} holds no runs; store one: pytest --jarvis-bench --jarvis-save NAME"),
    ],
)
def test_without_any_run_a_command_says_which_command_makes_one(
    store: RunStore, capsys: pytest.CaptureFixture[str], words: list[str], message: str
):
    assert main(words) == 1
    assert capsys.readouterr().err == f"jarvisperf: {message.format(store.shown)}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["report", "nope"], "has no run 'nope'"),
        (["report", "gone.json"], "gone.json does not exist"),
        (["report", "a", "b", "c"], "give one run, or two to compare; got 3"),
        (["compare", "bad.json", "main"], "bad.json is neither a run nor a report"),
        (["compare", "empty.json", "main"], "empty.json is empty"),
        (
            ["compare", "other.json", "main"],
            "other.json is neither a run nor a report of jarvisperf: it names no schema",
        ),
        (["report", "benchmark.json"], "store it as a run: jarvisperf runs import benchmark.json --name NAME"),
        (["report", "newer.json"], "newer.json has schema 'jarvisperf.report/2'; this version of jarvisperf reads "),
        (["report", "folder"], "the folder folder holds no report.json, and "),
        (["merge", "folder"], "the folder folder holds no report.json, and "),
        (["merge", "run.json"], "run.json is a run, not a report"),
        (["history", "nope"], "no benchmark of these runs has 'nope' in its id"),
        (["history", "--name", "other"], "has no runs under 'other'; choose one of: main"),
        (["history", "--since", "2999-01-01"], "has no runs since 2999-01-01; the newest is from 2026-"),
        (["history", "--store", "nowhere"], "nowhere does not exist; store one: pytest "),
        (["history", "--metric", "speed"], "no benchmark of these runs has the metric 'speed'"),
        (["history", ""], "BENCHMARK is empty"),
        (["history", "--plot", "x.gif", "test_a"], "give a file name that ends in .svg or .png"),
        (["report", "main", "--out", "bad.json"], "bad.json"),
        (["init", "nowhere"], "nowhere is not a folder"),
    ],
)
def test_what_goes_wrong_is_one_line_and_status_1(
    store: RunStore, capsys: pytest.CaptureFixture[str], words: list[str], message: str
):
    save(store, 2)
    Path("bad.json").write_text("{")
    Path("empty.json").write_text("\n")
    Path("other.json").write_text('{"a": 1}')
    Path("benchmark.json").write_text('{"machine_info": {}, "benchmarks": [], "version": "5.1.0"}')
    Path("newer.json").write_text('{"schema": "jarvisperf.report/2"}')
    Path("run.json").write_bytes(encode_run(run()))
    Path("folder").mkdir()
    assert main(words) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("jarvisperf: ")
    assert message in errors[0]


@pytest.mark.parametrize("seconds", ["-1", "0", "nan", "inf", "601", "long"])
def test_a_time_that_is_not_allowed_is_told_before_anything_is_measured(
    seconds: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as stop:
        main(["doctor", f"--seconds={seconds}"])
    assert stop.value.code == 2
    assert f"{seconds!r} is not allowed; give a number of seconds above 0 and up to 600" in capsys.readouterr().err


def test_every_command_has_help_with_examples_and_exit_status(capsys: pytest.CaptureFixture[str]):
    for command in commands_of(make_parser()):
        with pytest.raises(SystemExit) as stop:
            make_parser().parse_args([*command, "--help"])
        assert stop.value.code == 0
        shown = capsys.readouterr().out
        assert f"examples:\n  jarvisperf {' '.join(command)}" in shown.replace('eval "$(', "")
        assert "exit status:\n  0 success\n  1 " in shown


def commands_of(parser: argparse.ArgumentParser) -> list[list[str]]:
    """List the words of every executable command below a parser."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        return [[]]
    return [[name, *words] for name, child in below[0].choices.items() for words in commands_of(child)]


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_shells_complete_the_command(shell: str, capsys: pytest.CaptureFixture[str]):
    assert main(["completion", shell]) == 0
    assert "bisect" in capsys.readouterr().out


def test_a_history_of_runs_that_cannot_be_read_is_not_an_empty_one(store: RunStore, capsys: pytest.CaptureFixture[str]):
    save(store, 1)
    store.place.write(store.entries()[0].path, b"no run")
    assert main(["history"]) == 1
    skipped, reason = capsys.readouterr().err.splitlines()
    assert skipped.startswith("jarvisperf: skipped: ")
    assert reason == "jarvisperf: none of these runs can be read"


@pytest.mark.parametrize("words", [["history"], ["history", "test_a"]])
def test_a_short_history_says_that_no_change_was_searched_for(
    store: RunStore, capsys: pytest.CaptureFixture[str], words: list[str]
):
    save(store, 9)
    assert main(words) == 0
    assert "changes are searched for once there are 10 runs" in capsys.readouterr().out


@pytest.mark.parametrize(
    "variables", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"PYTHONIOENCODING": "ascii"}, {"COLUMNS": "1"}]
)
def test_any_terminal_gets_a_readable_answer(store: RunStore, variables: dict[str, str]):
    save(store)
    command = [
        sys.executable,
        "-c",
        "from jarvisperf.cli.main import main; raise SystemExit(main())",
        "history",
        "test_a",
    ]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **variables}, check=False)
    assert done.returncode == 0, done.stderr
    assert b"\x1b" not in done.stdout
    assert b"no change found" in done.stdout


def test_a_pipe_that_breaks_in_the_middle_of_a_command_is_not_told_as_a_failure():
    def breaks(_: argparse.Namespace) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):  # which main turns into the exit status of a process killed by SIGPIPE
        guarded(breaks, argparse.Namespace())


def test_a_reader_that_has_seen_enough_is_no_error(store: RunStore):
    save(store)
    command = (
        f"{sys.executable} -c 'from jarvisperf.cli.main import main; raise SystemExit(main())' history test_a --json"
    )
    done = subprocess.run(["bash", "-c", f"{command} | head -c 1"], capture_output=True, check=False)
    assert done.stderr == b""
