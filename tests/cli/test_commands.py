"""Tests the `jarvisperf` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from builders import run_of

import jarvisperf
from jarvisperf.cli.main import main
from jarvisperf.runs.store import open_store


def test_the_command_is_installed():
    done = subprocess.run(
        [sys.executable, "-c", "from jarvisperf.cli.main import main; raise SystemExit(main(['--version']))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"jarvisperf {jarvisperf.__version__}"


def test_the_machine_is_printed_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]):
    assert main(["machine"]) == 0
    assert "fingerprint" in capsys.readouterr().out
    assert main(["machine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cores"] >= 1


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$id"] == "jarvisperf.report/1"


@pytest.mark.parametrize("words", [[], ["nothing"], ["machine", "--colour"]])
def test_wrong_words_are_a_usage_error(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert "usage: jarvisperf" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["repot"], "unknown command 'repot'; did you mean report?"),
        (["runs", "lsit"], "unknown command 'lsit'; did you mean list?"),
        (["machine", "--jsn"], "unknown argument --jsn; did you mean --json?"),
        (["machine", "now"], "unknown argument now; --help lists what is allowed"),
        (["init", "--ci", "gitlabb"], "argument --ci: 'gitlabb' is not allowed; did you mean gitlab"),
        (["completion", "fish"], "argument shell: 'fish' is not allowed; choose one of: bash, tcsh, zsh"),
        (["zzz"], "unknown command 'zzz'; choose one of: bisect, blindspots, cache, "),
    ],
)
def test_what_is_near_to_wrong_words_is_suggested(words: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("main", "main", "release-1"):
        open_store(".jarvisperf").save(run_of(), name)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs", "show", "mian"], "did you mean main?"),
        (["report", "release-2"], "did you mean release-1?"),
        (["report", "reprot.json"], "reprot.json does not exist; did you mean report.json?"),
    ],
)
def test_runs_and_files_of_a_similar_name_are_suggested(
    stored: None, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    Path("report.json").write_text("{}")
    assert main(words) == 1
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("report m", {"main"}),
        ("report latest rel", {"release-1"}),
        ("runs show l", {"latest"}),
        ("runs list --name m", {"main"}),
        ("rep", {"report"}),
    ],
)
def test_bash_completes_commands_and_the_names_of_stored_runs(stored: None, words: str, completed: set[str]):
    command = Path("bin/jarvisperf")
    command.parent.mkdir()
    call = "from jarvisperf.cli.main import main; raise SystemExit(main())"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{call}" "$@"\n')
    command.chmod(0o755)
    script = (
        'eval "$(jarvisperf completion bash)"\n'
        f"COMP_WORDS=(jarvisperf {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n"
        '_shtab_jarvisperf; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    env = {**os.environ, "PATH": f"{command.parent.resolve()}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=env)
    assert set(done.stdout.split()) == completed, done.stderr


def test_zsh_asks_for_the_names_too(capsys: pytest.CaptureFixture[str]):
    assert main(["completion", "zsh"]) == 0
    out = capsys.readouterr().out
    assert "_jarvisperf_runs() {" in out
    assert "jarvisperf runs list --names" in out


def test_without_shtab_completion_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 1
    assert capsys.readouterr().err == (
        "jarvisperf: completion needs shtab, which is not installed: python -m pip install shtab\n"
    )


def test_only_the_names_are_listed_for_programs(stored: None, capsys: pytest.CaptureFixture[str]):
    assert main(["runs", "list", "--names"]) == 0
    assert sorted(capsys.readouterr().out.split()) == ["main", "release-1"]


def test_every_help_has_a_sentence_and_examples(capsys: pytest.CaptureFixture[str]):
    for words in ([], ["runs"], ["cache"], ["rag"], ["init"], ["doctor"], ["report"], ["machine"], ["cache", "get"]):
        with pytest.raises(SystemExit) as stop:
            main([*words, "--help"])
        assert stop.value.code == 0
        out = capsys.readouterr().out
        assert "examples:\n  jarvisperf " in out
        assert out.split("\n\n")[1].rstrip().endswith((".", "--jarvis-bench")), words


def test_commands_are_listed_in_the_order_of_use(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    names = ("init", "doctor", "report", "compare", "history", "bisect", "runs")
    places = [out.index(f"\n    {name} ") for name in names]
    assert places == sorted(places)
