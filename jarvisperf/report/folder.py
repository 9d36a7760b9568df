"""The report's folder: a new report replaces the old one as a whole, and nobody else's files are overwritten."""

from __future__ import annotations

import secrets
import shutil
from typing import TYPE_CHECKING, Self

import msgspec

from jarvisperf.runs.files import IGNORE_EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

SCHEMA_PREFIX = "jarvisperf.report/"  # of every version


class ForeignFileError(Exception):
    """The folder holds a file that a report would overwrite and that is not ours; the message says what to do."""


class NewReport:
    """Files of a report that are written aside, and take their places once they are complete.

    Whatever ends the writing early, even Ctrl-C, leaves the report that was there before.

    Args:
        folder: Where the report is to be.

    Attributes:
        aside: Where the files are written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.aside = folder / f".new-{secrets.token_hex(4)}"

    def __enter__(self) -> Self:
        """Begin; nothing is made yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what did not take its place."""
        shutil.rmtree(self.aside, ignore_errors=True)

    def publish(self, names: Iterable[str]) -> list[Path]:
        """Move files to their places; where a file was not written, the one of an earlier report is removed.

        Args:
            names: Relative to the folder, with ``/``.

        Returns:
            The files that are there now.

        Raises:
            OSError: A file cannot be replaced or removed.
        """
        there = []
        for name in names:
            source, target = self.aside / name, self._folder / name
            if source.exists():
                target.parent.mkdir(exist_ok=True)
                source.replace(target)
                there.append(target)
            else:
                target.unlink(missing_ok=True)
        return there


def check_folder(folder: Path, names: Iterable[str]) -> None:
    """Refuse a folder in which a report would overwrite somebody else's file.

    A folder is ours if we made it, which its `.gitignore` shows, or if its `report.json` is one of our reports.

    Args:
        folder: Where a report is to be written; it need not exist.
        names: The files of a report, relative to the folder.

    Raises:
        ForeignFileError: It holds such a file; the message is one line and names it.
    """
    there = [folder / name for name in names if (folder / name).exists()]
    if there and not _is_ours(folder):
        raise ForeignFileError(
            f"{there[0]} would be overwritten, and jarvisperf did not write it: "
            "choose another folder, or move that file away"
        )


def _is_ours(folder: Path) -> bool:
    try:
        if (folder / ".gitignore").read_bytes() == IGNORE_EVERYTHING:
            return True
    except OSError:
        pass  # there is none: the report itself has to tell
    try:
        header = msgspec.json.decode((folder / "report.json").read_bytes(), type=_Header)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError):
        return False
    return header.schema.startswith(SCHEMA_PREFIX)


class _Header(msgspec.Struct):
    schema: str = ""
