"""The arms' files: sibling folders of equal path length, base from git and head from the working tree.

The length of a path shifts what stands behind it in memory and on the stack, which alone can change a program's speed
by several per cent (Mytkowicz et al., "Producing Wrong Data Without Doing Anything Obviously Wrong!", ASPLOS 2009).

A folder of checkouts holds a lock for as long as its process lives; a later run removes the folders whose lock is free,
so nothing stays behind, not even after `kill -9`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.gate.git import git

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

BASE, HEAD, SAME = "base", "head", "same"  # of equal length; SAME is base once more, for the control
LOCK_NAME = ".lock"


class Checkouts:
    """A temporary folder with one subfolder for each arm.

    Args:
        parent: Where the folder is made; None: the system's folder for temporary files.
    """

    def __init__(self, parent: Path | None = None) -> None:
        owner = os.getuid()
        home = (Path(tempfile.gettempdir()) if parent is None else parent) / f"jarvisperf-arms-{owner}"
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.is_symlink() or home.stat().st_uid != owner:
            raise PermissionError(f"{home} belongs to somebody else: remove it, or set TMPDIR to a folder of your own")
        remove_abandoned(home)
        self.folder = Path(tempfile.mkdtemp(dir=home))
        self._lock = os.open(self.folder / LOCK_NAME, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def arm(self, name: str) -> Path:
        """Give the folder of an arm."""
        return self.folder / name

    def write_commit(self, repository: Path, commit: str, name: str) -> Path:
        """Write a commit's files into an arm, through an index of its own: the repository's stays as it is.

        Raises:
            GitError: git could not write them.
        """
        target = self.arm(name)
        target.mkdir()
        index = {"GIT_INDEX_FILE": str(self.folder / f".index-{name}")}
        git(repository, "read-tree", commit, env=index)
        git(repository, "checkout-index", "--all", "--force", f"--prefix={target}/", env=index)
        return target

    def write_working_tree(self, repository: Path, name: str) -> Path:
        """Copy the working tree as it is into an arm: tracked and untracked files, not the ignored ones.

        Raises:
            GitError: git could not list them.
            OSError: A file could not be copied.
        """
        target = self.arm(name)
        target.mkdir()
        listed = git(repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        copy_files(repository, target, filter(None, listed.split("\0")))
        return target

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._lock)


def copy_files(source: Path, target: Path, names: Iterable[str]) -> None:
    """Copy files by their relative names, links as links; names that are gone are left out, folders copied whole.

    Raises:
        OSError: A file could not be copied.
    """
    for name in dict.fromkeys(names):
        origin, copy = source / name, target / name
        try:
            kind = origin.lstat().st_mode
        except FileNotFoundError:
            continue  # deleted in the working tree, still in the index
        if stat.S_ISDIR(kind):  # a submodule
            shutil.copytree(origin, copy, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git"))
        elif stat.S_ISREG(kind) or stat.S_ISLNK(kind):
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.unlink(missing_ok=True)
            shutil.copy2(origin, copy, follow_symlinks=False)


def remove_abandoned(home: Path) -> None:
    """Remove folders of checkouts whose process is gone."""
    for folder in home.iterdir():
        try:
            lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
        except OSError:  # none yet: somebody is just making it
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # its process lives
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)
