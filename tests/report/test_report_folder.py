"""Tests the report's folder: a report replaces the previous one as a whole, and other files are never overwritten."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from jarvisperf.cli.main import main
from jarvisperf.report import (
    ForeignFileError,
    Report,
    ReportFolderError,
    ReportFormat,
    UnwrittenError,
    builtin_formats,
    check_report_folder,
    choose_formats,
    write_reports,
)
from jarvisperf.report.findings.model import Findings
from jarvisperf.report.formats.json import encode_findings


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_interrupted_report_leaves_the_earlier_one_whole(findings: Findings, tmp_path: Path):
    write_reports(findings, tmp_path)
    before = contents(tmp_path)

    def interrupted(_: Report) -> dict[str, bytes]:
        raise KeyboardInterrupt

    later = msgspec.structs.replace(findings, seconds=99.0, benchmarks=findings.benchmarks[:1])
    with pytest.raises(KeyboardInterrupt):
        write_reports(later, tmp_path, formats=[*builtin_formats(), ReportFormat("slow", ("slow.txt",), interrupted)])
    assert contents(tmp_path) == before
    write_reports(later, tmp_path)
    assert contents(tmp_path)["report.json"] == encode_findings(later)


def test_the_json_takes_its_place_after_all_others(findings: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    moved = []
    replace = os.replace

    def noted(source: str, target: Path) -> None:
        moved.append(target.name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", noted)
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
    (tmp_path / "made/report.json").unlink()  # its .gitignore still shows that
    check_report_folder(tmp_path / "made")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("theirs")
    check_report_folder(tmp_path / "docs")
    write_reports(findings, tmp_path / "docs")  # without a .gitignore, report.json shows that
    check_report_folder(tmp_path / "docs")


@pytest.mark.parametrize("folder", ["taken", "taken/reports", "taken/far/below"])
def test_a_file_where_the_folder_must_be_is_an_error(tmp_path: Path, folder: str):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ReportFolderError, match=r"taken is a file, so no report can be written to "):
        check_report_folder(tmp_path / folder)


def test_a_folder_of_another_user_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    with pytest.raises(ReportFolderError, match="cannot be written by this user"):
        check_report_folder(tmp_path / "reports")


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


def lines_of(name: str, *files: str) -> ReportFormat:
    """Create a format that writes the ids of the benchmarks into each of its files."""

    def render(report: Report) -> dict[str, bytes]:
        return {file: "\n".join(finding.id for finding in report.findings.benchmarks).encode() for file in files}

    return ReportFormat(name, files, render)


def test_only_the_chosen_formats_are_written(findings: Findings, tmp_path: Path):
    written = write_reports(findings, tmp_path, None, {}, choose_formats(["csv", "json"]))
    assert [path.name for path in written] == ["report.json", "report.csv"]
    assert set(contents(tmp_path)) == {"report.json", "report.csv"}


def test_a_folder_that_jarvisperf_created_keeps_no_files_of_other_formats(findings: Findings, tmp_path: Path):
    write_reports(findings, tmp_path / "reports")
    write_reports(findings, tmp_path / "reports", None, {}, choose_formats(["json"]))
    assert set(contents(tmp_path / "reports")) == {".gitignore", "report.json"}


def test_files_of_other_formats_stay_in_a_folder_of_the_user(findings: Findings, tmp_path: Path):
    (tmp_path / "report.md").write_text("theirs")
    formats = choose_formats(["json"])
    check_report_folder(tmp_path, formats)
    write_reports(findings, tmp_path, None, {}, formats)
    assert (tmp_path / "report.md").read_text() == "theirs"


def test_a_file_refers_to_others_only_if_they_are_written_too(findings: Findings, tmp_path: Path):
    write_reports(findings, tmp_path, None, {}, choose_formats(["markdown", "before_after"]))
    assert "plots/before_after.png" in (tmp_path / "report.md").read_text()
    write_reports(findings, tmp_path, None, {}, choose_formats(["markdown"]))
    assert "plots/before_after.png" not in (tmp_path / "report.md").read_text()


def test_an_unknown_format_is_an_error_that_lists_the_names():
    with pytest.raises(ValueError, match=r"unknown report format 'pdf'; choose from: json, .*html.*, ids$"):
        choose_formats(["pdf"], [lines_of("ids", "ids.txt")])


def test_a_format_of_a_third_party_is_written_with_the_others(findings: Findings, tmp_path: Path):
    formats = choose_formats(["ids", "json"], [lines_of("ids", "ids.txt")])
    write_reports(findings, tmp_path, None, {}, formats)
    assert (tmp_path / "ids.txt").read_text().splitlines() == [finding.id for finding in findings.benchmarks]


@pytest.mark.parametrize(
    ("name", "file", "what"), [("json", "mine.txt", "name 'json'"), ("mine", "report.json", "file")]
)
def test_two_formats_of_one_name_or_file_are_an_error(name: str, file: str, what: str):
    with pytest.raises(ValueError, match=f"two report formats have the {what}"):
        choose_formats([], [lines_of(name, file)])


def test_a_format_writes_only_the_files_that_it_declares(findings: Findings, tmp_path: Path):
    sly = ReportFormat("sly", ("sly.txt",), lambda _: {"../elsewhere.txt": b"x"})
    with pytest.raises(
        UnwrittenError, match=r"'../elsewhere.txt', which is not among its files: sly.txt \(sly\)"
    ) as failure:
        write_reports(findings, tmp_path / "reports", None, {}, [*choose_formats(["json"]), sly])
    assert [path.name for path in failure.value.written] == ["report.json"]
    assert not (tmp_path / "elsewhere.txt").exists()
