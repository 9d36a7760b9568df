"""Tests the `jarvisperf` command."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import jarvisperf
from jarvisperf.cli.main import main


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
