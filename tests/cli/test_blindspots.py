"""Tests `jarvisperf blindspots`: what the suite would not notice, by the profiles of a report."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import msgspec
import pytest
from report.made import compared

from jarvisperf.cli.main import main
from jarvisperf.report.findings.model import Findings
from jarvisperf.report.formats.json import encode_findings
from jarvisperf.suspects.blind_spots import BlindSpots, ChangedFunction

CODE = "\n" * 9 + "def work():\n    a = 1\n    return a\n\n\ndef unseen():\n    return 2\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project in whose report `pkg/core.py::work` takes all but a hundredth of a benchmark's time."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for name, text in {
        "pkg/__init__.py": "",
        "pkg/core.py": CODE,
        "tests/test_core.py": "def test_a(): pass\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    write_report(compared(1))
    return tmp_path


def write_report(findings: Findings) -> None:
    Path("reports").mkdir(exist_ok=True)
    Path("reports/report.json").write_bytes(encode_findings(findings))


@pytest.mark.usefixtures("project")
def test_each_function_has_the_slowdown_that_is_noticed(capsys: pytest.CaptureFixture[str]):
    assert main(["blindspots"]) == 0
    shown = capsys.readouterr().out
    assert "1 of 2 functions take a visible share of a benchmark's time" in shown
    (row,) = [line for line in shown.splitlines() if "work (pkg/core.py:10)" in line]
    assert row.split()[:2] == ["5.9%", "99%"]  # the threshold of 5 %, half the interval, and the share
    assert "1 function is not visible in any benchmark" in shown
    assert "test_core" not in shown


@pytest.mark.usefixtures("project")
def test_all_lists_what_no_benchmark_shows(capsys: pytest.CaptureFixture[str]):
    assert main(["blindspots", "--all"]) == 0
    assert "  unseen (pkg/core.py:15)" in capsys.readouterr().out


@pytest.mark.usefixtures("project")
def test_json_is_for_programs(capsys: pytest.CaptureFixture[str]):
    assert main(["blindspots", "reports/report.json", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (work,) = found["functions"]
    assert (work["function"], work["file"], work["line"]) == ("work", "pkg/core.py", 10)
    assert work["noticed_from"] == pytest.approx(work["share"] ** -1 * (0.05 + 0.01 / 1.2))
    assert [one["function"] for one in found["unseen"]] == ["unseen"]
    assert found["blind_spots"] is None


@pytest.mark.usefixtures("project")
def test_changed_functions_that_no_benchmark_executes_come_first(capsys: pytest.CaptureFixture[str]):
    spots = BlindSpots(2, (ChangedFunction("unseen", "pkg/core.py", 15, "changed"),), True)
    write_report(msgspec.structs.replace(compared(1), blind_spots=spots))
    assert main(["blindspots"]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "1 changed function is not executed by any benchmark:"
    assert second == "  unseen (pkg/core.py:15), changed"


@pytest.mark.usefixtures("project")
def test_a_report_without_profiles_says_how_to_make_them(capsys: pytest.CaptureFixture[str]):
    (finding,) = compared(1).benchmarks
    write_report(msgspec.structs.replace(compared(1), benchmarks=(msgspec.structs.replace(finding, profile=None),)))
    assert main(["blindspots"]) == 1
    assert "it has no profiles of time; make one with: pytest --jarvis-bench" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_a_missing_report_is_one_line(capsys: pytest.CaptureFixture[str]):
    assert main(["blindspots", "nowhere.json"]) == 1
    assert capsys.readouterr().err == (
        "jarvisperf: nowhere.json does not exist: run pytest --jarvis-bench --jarvis-profile first, or name a report\n"
    )
