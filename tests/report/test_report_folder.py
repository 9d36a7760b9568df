"""The report's folder: a report replaces the one before as a whole, and nobody else's files are overwritten."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from jarvisperf.cli.main import main
from jarvisperf.report import check_report_folder, write_reports
from jarvisperf.report.findings.model import Findings
from jarvisperf.report.folder import ForeignFileError
from jarvisperf.report.formats.json import encode_findings
from jarvisperf.report.html.report import HtmlReport


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_interrupted_report_leaves_the_earlier_one_whole(
    findings: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_reports(findings, tmp_path)
    before = contents(tmp_path)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    later = msgspec.structs.replace(findings, seconds=99.0, benchmarks=findings.benchmarks[:1])
    with monkeypatch.context() as patch:
        patch.setattr(HtmlReport, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_reports(later, tmp_path)
    assert contents(tmp_path) == before
    write_reports(later, tmp_path)
    assert contents(tmp_path)["report.json"] == encode_findings(later)
    assert not list(tmp_path.glob(".new-*"))


def test_the_json_takes_its_place_after_all_others(findings: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    moved = []
    replace = Path.replace

    def noted(self: Path, target: Path) -> Path:
        moved.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    write_reports(findings, tmp_path)
    assert len(moved) == 8
    assert moved[-1] == "report.json"


def test_pictures_of_an_earlier_report_go_with_their_data(findings: Findings, tmp_path: Path):
    write_reports(findings, tmp_path)
    assert (tmp_path / "plots/before_after.png").exists()
    written = write_reports(msgspec.structs.replace(findings, benchmarks=()), tmp_path)
    assert not (tmp_path / "plots/before_after.png").exists()
    assert all(path.exists() for path in written)


@pytest.mark.parametrize("name", ["report.md", "metrics.txt", "plots/ratios.svg", "report.json"])
def test_a_file_that_is_not_ours_is_never_overwritten(tmp_path: Path, name: str):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text('{"schema": "of somebody else"}')
    with pytest.raises(ForeignFileError, match="choose another folder, or move that file away") as refusal:
        check_report_folder(tmp_path)
    assert str(file) in str(refusal.value)


def test_a_report_may_be_overwritten_by_the_next_wherever_it_is(findings: Findings, tmp_path: Path):
    check_report_folder(tmp_path / "nowhere")
    write_reports(findings, tmp_path / "made")
    (tmp_path / "made/report.json").unlink()  # its .gitignore still tells
    check_report_folder(tmp_path / "made")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("theirs")
    check_report_folder(tmp_path / "docs")
    write_reports(findings, tmp_path / "docs")  # without a .gitignore: report.json tells
    check_report_folder(tmp_path / "docs")


@pytest.mark.parametrize("command", ["report", "merge"])
def test_commands_refuse_too(
    findings: Findings,
    tmp_path: Path,
    command: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/report.md").write_text("theirs")
    (tmp_path / "part.json").write_bytes(encode_findings(findings))
    assert main([command, "part.json", "--out", "docs"]) == 1
    assert "--out: docs/report.md would be overwritten, and jarvisperf did not write it" in capsys.readouterr().err
    assert (tmp_path / "docs/report.md").read_text() == "theirs"
