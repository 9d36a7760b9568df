"""Names in stored runs come from elsewhere: no command prints what a terminal or a CI service would act on."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from builders import metric, run_of

from jarvisperf.cli.main import main
from jarvisperf.runs.commit import Commit
from jarvisperf.runs.model import Benchmark
from jarvisperf.runs.store import open_store

HOSTILE = "t.py::test_a[\x1b]0;owned\x07\x1b[2K\u202edetrever\n::error::forged ##[error]x]"
ACTING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|^\\s*::|##\\[", re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    store = open_store()
    for hour in range(22):
        seconds = [1e-6 * (2 if hour > 11 else 1) * (1 + 0.001 * ((hour * 7 + step) % 5)) for step in range(9)]
        run = run_of(
            Benchmark(id=HOSTILE, group=HOSTILE, metrics={"time": metric(*seconds)}, params={HOSTILE: HOSTILE}),
            Benchmark(id=f"b.py::{HOSTILE}", error=HOSTILE),
        )
        commit = Commit(id=f"{hour:040x}", time=HOSTILE, branch=HOSTILE, dirty=False)
        machine = msgspec.structs.replace(run.machine, load=float(hour), cpu=f"CPU {HOSTILE}")
        created = f"2026-01-02T{hour:02}:00:00+00:00"
        store.save(msgspec.structs.replace(run, created=created, commit=commit, machine=machine), "main")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        "runs list",
        "runs list --json",
        "runs show main",
        "runs show main --json",
        "runs diff main~1 main",
        "history",
        "history test_a",
        "history test_a --json",
        "history \x1b[31mnone",
        "history --metric \x1b[31mnone",
        "compare main~1 main",
        "compare main~1 main --json",
        "compare \x1b[31mnone main",
        "runs show \u202enone",
        "report main",
        "runs prune --keep 1 --dry-run",
    ],
)
def test_no_command_prints_what_acts(words: str, folder: Path, capsys: pytest.CaptureFixture[str]):
    main(words.split(" "))
    printed = capsys.readouterr()
    assert printed.out + printed.err
    assert not ACTING.search(printed.out + printed.err)


def test_wrong_usage_prints_nothing_that_acts(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["runs", "list", "--name", "\x1b[31mnone"])
    with pytest.raises(SystemExit):
        main(["\x1b[31mnone"])
    assert not ACTING.search(capsys.readouterr().err)
