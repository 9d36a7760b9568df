"""Adds advice to errors that are caused by how arms are set up.

An arm lacks every file that git ignores, and both arms compete for anything that exists only once: a port, a lock.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.gate.arms.checkout import HEAD
from jarvisperf.gate.arms.git import GitError, git

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jarvisperf.gate.processes.workers import ArmPlace

LONGEST_NAME = 300
DATABASES = ("*.db", "*.sqlite", "*.sqlite3", "*.db3")


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


ABOUT_FILES = _any_of(
    r"no such (file|table)|not found|does not exist|doesn't exist|FileNotFoundError|NotADirectoryError|missing",
    r"(unable to|can't|cannot|could not|failed to) (open|find|read|load)",
)
ABOUT_DATABASES = _any_of("unable to open database file", "no such table")
IMPORTED = re.compile(r"cannot import name '([\w.]+)' from [a-z ]*'([\w.]+)'|No module named '([\w.]+)'")
QUOTED = re.compile(r"""(['"])(?P<name>[^'"\n]{1,300}?)\1""")
ABSOLUTE = re.compile(r"(?<![\w/])/[^\s'\":,;()<>\[\]]+")
NOEXEC = _any_of("failed to map segment from shared object", re.escape(os.strerror(errno.EACCES)))
PORT = _any_of(re.escape(os.strerror(errno.EADDRINUSE)), r"port \d+ is (already )?(in use|taken)")
LOCK = _any_of(
    r"database (table )?is locked|BlockingIOError|Resource temporarily unavailable|resource busy|Text file busy",
    r"already locked|lock[-_ ]?file|\.lock\b|\block\b.*(held|acquir|timeout|timed out|taken|exists)|acquire.*\block\b",
    r"FileExistsError|File exists|already (exists|running)|in use by another|another (process|instance)",
)


class Advisor:
    """Adds advice to the arms' error messages.

    Args:
        repository: The working tree.
        places: The arms, by name.
    """

    def __init__(self, repository: Path, places: Mapping[str, ArmPlace]) -> None:
        self._repository = repository
        self._places = places

    def advise(self, arm: str, message: str, traceback: str = "") -> str:
        """Return an arm's error message, followed by advice if there is any.

        Args:
            arm: The arm's name.
            message: The error in one line.
            traceback: Its traceback.
        """
        advice = self._about_noexec(arm, message)
        advice = advice or self._about_files(arm, message, traceback) or _about_resources(message)
        return f"{message}; {advice}" if advice else message

    def _about_noexec(self, arm: str, message: str) -> str:
        """Explain why code cannot be loaded from an arm's folder that may not contain programs, see mount(8)."""
        place = self._places.get(arm)
        if place is None or not NOEXEC.search(message) or not os.statvfs(place.roots[0]).f_flag & os.ST_NOEXEC:
            return ""
        return (
            f"the arms are in {place.roots[0].parent.parent}, which is mounted noexec, so nothing compiled can run "
            "there; set TMPDIR to a folder on another file system"
        )

    def _about_files(self, arm: str, message: str, traceback: str) -> str:
        place = self._places.get(arm)
        if place is None:
            return ""
        for name in self._named(place, message, traceback):
            root = place.roots[0]
            if os.path.lexists(root / name) or not (self._repository / name).exists():
                continue
            missing = next(parent for parent in _from_the_top(name) if not os.path.lexists(root / parent))
            return self._about_missing(arm, missing, name)
        if ABOUT_DATABASES.search(message) and (found := self._ignored(*DATABASES)):
            return f"git ignores {found[0]!r}, so the arms lack it; list it in jarvis_shared if it is needed"
        return ""

    def _about_missing(self, arm: str, missing: str, name: str) -> str:
        if not self._is_ignored(name):
            return "" if arm == HEAD else f"only head has {missing!r}; list it in jarvis_shared to give it to both arms"
        if name.endswith((".so", ".pyd", ".pyx", ".c")):
            return (
                f"git ignores {name!r}, so the arms lack it; build it with --jarvis-arm-install, or list it in "
                "jarvis_shared if both arms may use the working tree's"
            )
        return f"git ignores {missing!r}, so the arms lack it; list it in jarvis_shared"

    def _named(self, place: ArmPlace, message: str, traceback: str) -> Iterator[str]:
        """Yield the files and modules that an error mentions, relative to the repository."""
        for name, package, module in IMPORTED.findall(message):
            yield from self._module_files(place, module or f"{package}.{name}")
        texts = [message, traceback] if ABOUT_FILES.search(message) else [message]
        for text in texts:
            words = [found["name"] for found in QUOTED.finditer(text)] + [
                word.rstrip(".") for word in ABSOLUTE.findall(text)
            ]
            for word in words:
                yield from self._relative(place, word)

    def _relative(self, place: ArmPlace, word: str) -> Iterator[str]:
        root = place.roots[0]
        for folder in (place.cwd, root):
            path = Path(os.path.normpath(folder / word))
            for top in dict.fromkeys((root, root.resolve())):
                if path.is_relative_to(top) and path != top:
                    yield path.relative_to(top).as_posix()

    def _module_files(self, place: ArmPlace, module: str) -> Iterator[str]:
        root = place.roots[0]
        inside = [Path(path).relative_to(root) for path in place.paths if Path(path).is_relative_to(root)]
        for folder in (self._repository / path for path in dict.fromkeys((*inside, Path()))):
            wanted = folder.joinpath(*module.split("."))
            if wanted.parent.is_dir():
                for entry in sorted(wanted.parent.iterdir()):
                    if entry.name == wanted.name or entry.name.startswith(f"{wanted.name}."):
                        yield entry.relative_to(self._repository).as_posix()

    def _is_ignored(self, name: str) -> bool:
        try:
            git(self._repository, "check-ignore", "--quiet", "--", name)
        except GitError:
            return False
        return True

    def _ignored(self, *patterns: str) -> list[str]:
        try:
            names = git(
                self._repository, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", *patterns
            )
        except GitError:
            return []
        return [name for name in names.split("\0") if name]


def _about_resources(message: str) -> str:
    """Advise on conflicts between the arms, which are set up at the same time."""
    if PORT.search(message):
        return "base and head are set up at the same time: bind port 0 to let the system choose a free one"
    if LOCK.search(message):
        return (
            "base and head are set up at the same time: if both need the same file or lock, give each its own, for "
            "example with the fixture tmp_path"
        )
    return ""


def _from_the_top(name: str) -> Iterator[str]:
    parts = name.split("/")
    for length in range(1, len(parts) + 1):
        yield "/".join(parts[:length])
