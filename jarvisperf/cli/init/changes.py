"""Proposed changes of files: what they would change, as a diff, and writing them."""

from __future__ import annotations

import difflib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.escaping import document

if TYPE_CHECKING:
    from collections.abc import Iterable

BOLD, RED, GREEN, CYAN, PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class ProposedChange:
    """A file as it would become.

    Attributes:
        path: The file, relative to the project.
        before: Its present text; None if it does not exist.
        after: Its new text.
    """

    path: Path
    before: str | None
    after: str


def changed(root: Path, path: Path, after: str) -> list[ProposedChange]:
    """Return the change that gives a file this text; empty if it already has it."""
    before = read_text(root / path) if (root / path).exists() else None
    return [] if before == after else [ProposedChange(path, before, after)]


def read_text(path: Path) -> str:
    """Read a text file, keeping its line ends."""
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def unified_diff(changes: Iterable[ProposedChange], *, colour: bool) -> str:
    """Render changes as a unified diff.

    Args:
        changes: The changes.
        colour: Whether to colour it for a terminal.
    """
    lines: list[str] = []
    for change in changes:
        name = change.path.as_posix()
        before = (change.before or "").splitlines(keepends=True)
        old = "/dev/null" if change.before is None else f"a/{name}"
        for line in difflib.unified_diff(before, change.after.splitlines(keepends=True), old, f"b/{name}"):
            text = document(line.rstrip("\r\n"))
            lines.append(_coloured(text) if colour else text)
    return "\n".join(lines)


def write(root: Path, changes: Iterable[ProposedChange]) -> None:
    """Write the changes; a file that was edited or created since it was read is left alone.

    Raises:
        FileExistsError: A file has changed since it was read.
        OSError: It cannot be written.
    """
    for change in changes:
        path = root / change.path
        now = read_text(path) if path.exists() else None
        if now != change.before:
            raise FileExistsError(f"{change.path} has changed since it was shown; run jarvisperf init again")
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, change.after)


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is never half written; a link stays a link, and permissions stay."""
    path = path.resolve()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123  # a descriptor
            file.write(text)
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _coloured(line: str) -> str:
    if line.startswith(("---", "+++")):
        return f"{BOLD}{line}{PLAIN}"
    colour = {"@": CYAN, "+": GREEN, "-": RED}.get(line[:1], "")
    return f"{colour}{line}{PLAIN}" if colour else line
