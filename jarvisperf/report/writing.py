"""Writes a report into its folder: the only place where the files of a report are written or deleted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.report.format_list import builtin_formats, choose_formats
from jarvisperf.report.formats.markdown import markdown
from jarvisperf.report.shared.report import Report
from jarvisperf.runs.files import IGNORE_EVERYTHING, decode_json, make_ignored_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jarvisperf.history.model import History
    from jarvisperf.report.findings.model import Findings
    from jarvisperf.report.shared.report import ReportFormat

SCHEMA_PREFIX = "jarvisperf.report/"  # of every version
LARGEST_STEP_SUMMARY_BYTES = 1_000_000  # GitHub allows 1 MiB per step


class ReportFolderError(Exception):
    """A report cannot be written into a folder; the message is one line and says why."""


class ForeignFileError(ReportFolderError):
    """A report would overwrite a file that jarvisperf did not write."""


class UnwrittenError(OSError):
    """Some formats could not be written; the others were.

    Attributes:
        written: The files of the other formats.
    """

    def __init__(self, failures: Mapping[str, Exception], written: list[Path]) -> None:
        name, error = next(iter(failures.items()))
        others = f" and {len(failures) - 1} more" if len(failures) > 1 else ""
        super().__init__(f"{type(error).__name__}: {error} ({name}{others})")
        self.written = written


def write_reports(
    findings: Findings,
    folder: Path,
    history: History | None = None,
    environ: Mapping[str, str] | None = None,
    formats: Sequence[ReportFormat] | None = None,
) -> list[Path]:
    """Write the report.

    Every format is rendered before the first file is written, so an interruption such as Ctrl-C leaves the earlier
    report as it was. `report.json` is written last: a program that waits for it finds the other files in place.

    Args:
        findings: The findings to report.
        folder: The folder to write to; a missing one is created, with a ``.gitignore``.
        history: The stored runs behind the findings; None if there are none.
        environ: Environment variables; ``GITHUB_STEP_SUMMARY`` names a file to append the Markdown to. None: those of
            this process.
        formats: The formats to write, see `choose_formats`; None: all built-in ones that are installed.

    Returns:
        The files that were written.

    Raises:
        UnwrittenError: Some formats could not be rendered or written, for example because the folder is read-only.
    """
    formats = choose_formats(()) if formats is None else formats
    files = frozenset(name for one in formats for name in one.files)
    report = Report(findings, history, files)
    failures: dict[str, Exception] = {}
    rendered: list[tuple[ReportFormat, Mapping[str, bytes]]] = []
    try:
        _append_step_summary(report, os.environ if environ is None else environ)
    except OSError as error:
        failures["GitHub's step summary"] = error
    for one in formats:
        try:
            rendered.append((one, _checked(one, one.render(report))))
        except Exception as error:  # noqa: BLE001  # one broken format must not prevent the others
            failures[one.name] = error
    if _made_by_us(folder):  # files of an earlier report in other formats would contradict this one
        chosen = {one.name for one in formats}
        rendered = [*((one, {}) for one in builtin_formats() if one.name not in chosen), *rendered]
    written: dict[str, list[Path]] = {}
    for one, contents in sorted(rendered, key=lambda pair: "report.json" in pair[1]):
        try:
            make_ignored_folder(folder)
            written[one.name] = _written(folder, one.files, contents)
        except OSError as error:
            failures[one.name] = error
    paths = [path for one in formats for path in written.get(one.name, ())]
    if failures:
        raise UnwrittenError(failures, paths)
    return paths


def check_report_folder(folder: Path, formats: Sequence[ReportFormat] | None = None) -> None:
    """Reject a folder that cannot be written, or in which a report would overwrite someone else's file.

    A folder is ours if jarvisperf created it, as its `.gitignore` shows, or if its `report.json` is one of our reports.

    Args:
        folder: The folder to write to; it need not exist.
        formats: The formats to write; None: all built-in ones.

    Raises:
        ForeignFileError: It holds such a file; the message is one line and names it.
        ReportFolderError: It, or the folder to create it in, is a file or cannot be written.
    """
    nearest = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    if not nearest.is_dir():
        raise ReportFolderError(f"{nearest} is a file, so no report can be written to {folder}: choose another folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ReportFolderError(f"{nearest} cannot be written by this user: choose another folder, or change its mode")
    names = [name for one in (builtin_formats() if formats is None else formats) for name in one.files]
    existing = [folder / name for name in names if (folder / name).exists()]
    if existing and not (_made_by_us(folder) or _holds_report(folder)):
        raise ForeignFileError(
            f"{existing[0]} would be overwritten, and jarvisperf did not write it: "
            "choose another folder, or move that file away"
        )


def _append_step_summary(report: Report, environ: Mapping[str, str]) -> None:
    path = environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            text = markdown(report, at_most_bytes=LARGEST_STEP_SUMMARY_BYTES, pictures=False, environ=environ)
            file.write(f"{text}\n")


def _checked(one: ReportFormat, contents: Mapping[str, bytes]) -> Mapping[str, bytes]:
    for name in contents:
        if name not in one.files:
            raise ValueError(f"the format rendered {name!r}, which is not among its files: {', '.join(one.files)}")
    return contents


def _written(folder: Path, names: Sequence[str], contents: Mapping[str, bytes]) -> list[Path]:
    paths = []
    for name in names:
        if name in contents:
            write_whole(folder / name, contents[name])
            paths.append(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    return paths


def _made_by_us(folder: Path) -> bool:
    try:
        return (folder / ".gitignore").read_bytes() == IGNORE_EVERYTHING
    except OSError:
        return False


def _holds_report(folder: Path) -> bool:
    try:
        header = decode_json((folder / "report.json").read_bytes(), _ReportHeader)
    except (OSError, msgspec.DecodeError):
        return False
    return header.schema.startswith(SCHEMA_PREFIX)


class _ReportHeader(msgspec.Struct):
    schema: str = ""
