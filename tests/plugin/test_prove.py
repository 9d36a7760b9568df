"""`jarvisperf prove` on a user's suite: identical code, an injected slowdown, the report and the stored proof."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from light_pytest import WITHOUT_PLUGINS
from stranger import WORK, Stranger
from waiting import PROCESS_SECONDS

from jarvisperf.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Sequence

# The first round slows one benchmark by so much that no load of the machine hides it, and measures the other as it is.
SLOWED = """
import jarvisperf.gate.proof.rounds as rounds

rounds.TIMES_THRESHOLD = (0.0, 60.0, 0.0)
begin = rounds.Rounds.__init__

def begin_with_slowdowns(self, *words, **named):
    begin(self, *words, **named)
    self.count = 1

rounds.Rounds.__init__ = begin_with_slowdowns
"""
BENCH = """
import os

import pkg

def test_slowed(jarvis_bench): jarvis_bench(pkg.work, 500)

def test_unseeded(jarvis_bench):
    numbers = os.urandom(100)
    jarvis_bench(sorted, numbers)
"""
FILES = {"pkg/__init__.py": WORK, "conftest.py": SLOWED, "benchmarks/test_bench.py": BENCH}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stranger, str, int]:
    """Prove the gate once; return the project, the output and the exit status."""
    stranger = Stranger(tmp_path_factory.mktemp("project"), FILES)
    words = (*WITHOUT_PLUGINS, "-p", "no:asyncio", "--jarvis-budget=0.2")
    done = _jarvisperf(stranger, "prove", "--minutes=0.02", "benchmarks", "--", *words)
    return stranger, f"{done.stdout}{done.stderr}", done.returncode


def _jarvisperf(stranger: Stranger, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; from jarvisperf.cli.main import main; sys.exit(main())", *words]
    return subprocess.run(
        command,
        cwd=stranger.root,
        env=stranger.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PROCESS_SECONDS,
    )


def test_the_injected_slowdown_is_found_and_identical_code_is_not(project: tuple[Stranger, str, int]):
    stranger, output, _ = project
    proof = json.loads((stranger.root / "reports/proof.json").read_text())
    rows = {row["id"].partition("::")[2]: row for row in proof["comparisons"] if row["round"] == 1}
    assert (rows["test_slowed"]["injected"], rows["test_slowed"]["verdict"]) == (3.0, "regressed"), output
    assert rows["test_slowed"]["interval"][0] > 1.5
    assert rows["test_unseeded"]["injected"] == 0
    assert [(one["times_threshold"], one["comparisons"], one["found"]) for one in proof["detections"]] == [(60.0, 1, 1)]
    assert "60 times the threshold: 1 of 1 found" in output


def test_it_says_what_to_fix(project: tuple[Stranger, str, int]):
    assert "test_unseeded: it drew random bytes from the system" in project[1]


def test_the_page_is_one_file_without_a_script(project: tuple[Stranger, str, int]):
    page = (project[0].root / "reports/proof.html").read_text()
    assert "comparison of identical code" in page
    assert "test_slowed" in page
    assert "<script" not in page


def test_the_proof_is_kept_and_shown_again(
    project: tuple[Stranger, str, int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stranger, output, status = project
    assert "Kept as proofs/" in output
    monkeypatch.chdir(stranger.root)
    assert main(["prove", "--last"]) == status
    assert "60 times the threshold: 1 of 1 found" in capsys.readouterr().out


def test_without_a_proof_there_is_none_to_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert main(["prove", "--last"]) == 1
    assert "has no proof; make one with: jarvisperf prove" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["prove", "--minutes=0"])
    assert "'0' is not allowed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--jarvis-prove=1",), "--jarvis-prove needs --jarvis-bench"),
        (("--jarvis-bench", "--jarvis-prove=1", "--jarvis-against=HEAD"), "--jarvis-prove and --jarvis-against cannot"),
        (("--jarvis-bench", "--jarvis-prove=never"), "'never' is not allowed"),
        (("--jarvis-bench", "--jarvis-prove=1"), "--jarvis-prove: "),  # no git repository
    ],
)
def test_what_cannot_be_proven_is_a_usage_error(pytester: pytest.Pytester, words: Sequence[str], message: str):
    pytester.makepyfile("def test_a(jarvis_bench): jarvis_bench(len, '')")
    result = pytester.runpytest_subprocess(*WITHOUT_PLUGINS, "-p", "no:asyncio", *words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()


def test_a_suite_without_benchmarks_proves_nothing(tmp_path: Path):
    stranger = Stranger(tmp_path, {"test_plain.py": "def test_plain(): pass\n"})
    assert stranger.bench("--jarvis-prove=1", "-p", "no:asyncio") == 1
    assert "nothing was proven: no benchmark was collected" in stranger.output


def test_arms_that_cannot_start_are_told_with_their_last_output(tmp_path: Path):
    fails = "import pathlib\nif b'fork_server.py' in pathlib.Path('/proc/self/cmdline').read_bytes(): 1 / 0\n"
    stranger = Stranger(tmp_path, {**FILES, "conftest.py": fails})
    assert stranger.bench("--jarvis-prove=1", "-p", "no:asyncio") == 1
    lines = stranger.output.splitlines()
    reason = "jarvisperf: nothing was proven: the base arm could not start: the base worker ended: "
    assert f"{reason}ZeroDivisionError: division by zero" in lines
    assert "its last output:" in lines
