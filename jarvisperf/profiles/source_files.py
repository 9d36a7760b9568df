"""Shortens the file names in profiles, and decides which files belong to the project."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.measure.targets import call_targets
from jarvisperf.profiles.model import Frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PACKAGE_FOLDERS = ("site-packages", "dist-packages")
LAUNCHPAD = "<the loop of calls>"  # the code that calls the target


class Places:
    """Turns file names into frames with a short name.

    Args:
        roots: The project's folders.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self._roots = [os.path.realpath(root) + os.sep for root in roots]
        self.frame = functools.cache(self._frame)

    def _frame(self, function: str, file: str, line: int) -> Frame:
        shown, own = self._shown(file)
        return Frame(function, shown, line, own)

    def _shown(self, file: str) -> tuple[str, bool]:
        if file == call_targets.__file__:
            return LAUNCHPAD, False
        if file.startswith("<") or file in {"~", ""}:
            return file if file.startswith("<") else "<built-in>", False
        path = os.path.realpath(file)
        parts = Path(path).parts
        for folder in PACKAGE_FOLDERS:
            if folder in parts:
                return "/".join(parts[parts.index(folder) + 1 :]), False
        for root in self._roots:
            if path.startswith(root):
                return Path(path[len(root) :]).as_posix(), True
        for library in (sysconfig.get_path("stdlib"), sys.prefix):
            inside = os.path.realpath(library) + os.sep
            if path.startswith(inside):
                return Path(path[len(inside) :]).as_posix(), False
        return "/".join(parts[-3:]), False


def without_launchpad(stack: Sequence[Frame]) -> tuple[Frame, ...]:
    """Remove the frames of the target's callers: pytest and the loop that makes the calls."""
    for place in range(len(stack) - 1, -1, -1):
        if stack[place].file == LAUNCHPAD:
            return tuple(stack[place + 1 :])
    return ()
