"""Copies files from one checkout to another: only files that git sees, and never through a link."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.gate.arms.git import git
from jarvisperf.gate.arms.sharing import copy_file

if TYPE_CHECKING:
    from collections.abc import Iterable


def copy_files(source: Path, target: Path, names: Iterable[str]) -> None:
    """Copy files by their relative names, links as links, and folders without what git ignores in them.

    Names with a link or a file among their parents are skipped, because git does not see them. In the target, such a
    parent is replaced by a folder, so nothing is ever written or removed behind a link.

    Raises:
        GitError: git could not list a submodule's files.
        OSError: A file could not be copied.
    """
    # Names are str, not Path, because there may be tens of thousands.
    ready: set[str] = set()  # folders that exist in both
    for name in dict.fromkeys(name.rstrip("/") for name in names):
        folder = name.rpartition("/")[0]
        if folder not in ready and not is_reached_by_folders(source, name):
            continue
        origin, copy = f"{source}/{name}", f"{target}/{name}"
        try:
            kind = os.lstat(origin).st_mode
        except FileNotFoundError:  # deleted in the working tree, still in the index
            continue
        if folder not in ready:
            _make_folders_to(target, name)
            ready.add(folder)
        if _is_the_same_file(origin, copy):
            continue
        if os.path.lexists(copy):
            _remove(Path(copy))
        if stat.S_ISREG(kind):
            copy_file(origin, copy)
        elif stat.S_ISLNK(kind):
            Path(copy).symlink_to(Path(origin).readlink())
        elif stat.S_ISDIR(kind):  # a submodule
            module = source / name
            (target / name).mkdir()
            copy_files(module, target / name, listed(module) if (module / ".git").exists() else _all_in(module))


def remove_strangers(source: Path, target: Path, name: str) -> None:
    """Remove what exists at or below a name in the target but not in the source.

    Raises:
        OSError: It could not be removed.
    """
    if not is_reached_by_folders(target, name):
        return
    if not os.path.lexists(source / name):
        _remove(target / name)
    elif is_folder(target / name):
        for entry in list((target / name).iterdir()):
            remove_strangers(source, target, f"{name}/{entry.name}")


def listed(repository: Path) -> list[str]:
    """Return the files of a working tree, tracked and untracked but not ignored; submodules by their folders.

    Raises:
        GitError: git could not list them.
    """
    names = git(repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [name for name in names.split("\0") if name]


def listed_even_ignored(repository: Path, places: Iterable[str]) -> list[str]:
    """Return all files at or below paths of a working tree, including ignored ones but not bytecode caches.

    Raises:
        GitError: git could not list them.
    """
    chosen = [f":(literal){place}" for place in places]
    if not chosen:
        return []
    names = git(repository, "ls-files", "-z", "--cached", "--others", "--", *chosen)
    return [name for name in names.split("\0") if name and "__pycache__" not in name.split("/")]


def ignored_modules(repository: Path, *patterns: str) -> list[str]:
    """Return the modules that git ignores, such as those written by a build, which are missing from a checkout.

    Args:
        repository: The working tree.
        *patterns: Patterns of their file names.

    Raises:
        GitError: git could not list them.
    """
    names = git(repository, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", *patterns)
    return [name for name in names.split("\0") if name]


def is_reached_by_folders(root: Path, name: str) -> bool:
    """Return whether the path from a folder to a name in it has only folders and no links."""
    return all(is_folder(root / parent) for parent in Path(name).parents[:-1])


def lacking(root: Path, names: Iterable[str]) -> list[str]:
    """Return the names that are missing and can be added because no link lies on their path."""
    return [name for name in names if not os.path.lexists(root / name) and not _is_behind_a_link(root, name)]


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder and not a link to one."""
    return path.is_dir() and not path.is_symlink()


def _is_behind_a_link(root: Path, name: str) -> bool:
    return any((root / parent).is_symlink() for parent in Path(name).parents[:-1])


def _all_in(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def _is_the_same_file(one: str, other: str) -> bool:
    """Return whether both are hard links to one file, as the arms have for identical files."""
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except FileNotFoundError:
        return False


def _make_folders_to(root: Path, name: str) -> None:
    for parent in reversed(Path(name).parents[:-1]):
        folder = root / parent
        if not is_folder(folder):
            _remove(folder)
            folder.mkdir()


def _remove(path: Path) -> None:
    if is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
