"""Writes the arms' files: sibling folders of equal path length, base from git and head from the working tree.

The length of a path shifts what follows it in memory and on the stack, which alone can change a program's speed by
several per cent (Mytkowicz et al., "Producing Wrong Data Without Doing Anything Obviously Wrong!", ASPLOS 2009).

A folder of checkouts holds a lock as long as its process lives. A later run removes folders whose lock is free, so
nothing is left behind, not even after `kill -9`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.gate.arms.copying import copy_files, is_folder, listed
from jarvisperf.gate.arms.disk_placement import scatter_folders_in
from jarvisperf.gate.arms.git import GitError, GitRefusedError, git
from jarvisperf.gate.arms.sharing import LinkedFiles, is_copied

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

BASE, HEAD, SAME = "base", "head", "same"  # of equal length; SAME is a second copy of base, for the control
LOCK_NAME = ".lock"
SUBMODULE_MODE = "160000"


class Checkouts:
    """A temporary folder with one subfolder for each arm.

    Args:
        parent: The folder to create it in; None: the system's folder for temporary files.
    """

    def __init__(self, parent: Path | None = None) -> None:
        home = own_folder(parent)
        remove_abandoned(home)
        scatter_folders_in(home)
        self.folder = Path(tempfile.mkdtemp(dir=home))
        self._linked: LinkedFiles | None = None
        # It gets its name once it is locked; before that, this folder would look abandoned.
        nameless = self.folder / f"{LOCK_NAME}-new"
        self._lock = os.open(nameless, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        _lock_file(self._lock)
        nameless.rename(self.folder / LOCK_NAME)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def arm(self, name: str) -> Path:
        """Return the folder of an arm."""
        return self.folder / name

    def write_commit(self, repository: Path, commit: str, name: str) -> Path:
        """Write a commit's files into an arm, using a separate index so that the repository's own stays unchanged.

        Submodules are written at the commits it names; one that was never checked out stays empty, as in the working
        tree. Files outside a sparse checkout are left out. Files that are identical in head are stored once.

        Raises:
            GitError: git could not write them, or a submodule's commit is missing.
            OSError: A file could not be linked or copied.
        """
        target = self.arm(name)
        target.mkdir()
        head = self.arm(HEAD)
        same = _same_as_head(repository, commit, head) if head.exists() else []
        self._write_tree(repository, {}, commit, target, same)
        if self._linked is None:
            self._linked = LinkedFiles(repository)
        self._linked.add(head, target, same)
        return target

    def separate_written(self, keeper: str | None = None) -> list[str]:
        """Give each arm its own copy of a shared file again if it was written to.

        Args:
            keeper: The arm that keeps the written file; None: every arm gets the original file.

        Returns:
            The names of those files.

        Raises:
            OSError: A file could not be copied, or the working tree's has changed as well.
        """
        if self._linked is None:
            return []
        return self._linked.separate_written(None if keeper is None else self.arm(keeper))

    def _write_tree(
        self, repository: Path, env: Mapping[str, str], commit: str, target: Path, left_out: Sequence[str] = ()
    ) -> None:
        index = {**env, "GIT_INDEX_FILE": str(self.folder / ".index")}
        entries = [
            entry.partition("\t")[::2]
            for entry in git(repository, "ls-tree", "-r", "-z", "--full-tree", commit, env=env).split("\0")
            if entry
        ]
        if _is_sparse(repository, env):  # only this form respects the patterns
            (self.folder / ".index").unlink(missing_ok=True)
            git(repository, "read-tree", "-m", "-u", commit, env={**index, "GIT_WORK_TREE": str(target)})
        else:
            git(repository, "read-tree", commit, env=index)
            there = set(left_out)
            lacking = "".join(
                f"{path}\0" for about, path in entries if path not in there and not about.startswith(SUBMODULE_MODE)
            )
            words = ("checkout-index", "--force", "-z", "--stdin", f"--prefix={target}/")
            git(repository, *words, env=index, stdin=lacking)
        for about, path in entries:
            if about.startswith(SUBMODULE_MODE):
                self._write_submodule(repository, env, path, about.split()[2], target / path)

    def _write_submodule(self, repository: Path, env: Mapping[str, str], path: str, commit: str, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        folder, its_env = repository / path, {}
        if not (folder / ".git").exists():
            if is_folder(folder) and not any(folder.iterdir()):
                return
            # Head has no such submodule, but git may still keep its repository.
            kept = git(repository, "rev-parse", "--git-path", f"modules/{path}", env=env).rstrip("\n")
            folder = repository / kept
            its_env = {"GIT_DIR": str(folder), "GIT_WORK_TREE": str(target)}
        try:
            git(folder, "cat-file", "-e", f"{commit}^{{commit}}", env=its_env)
        except GitError as error:
            raise GitError(
                f"base has a submodule {path!r} at {commit[:12]}, which is not available; check out base once, and: "
                f"git submodule update --init {path} ({error})"
            ) from None
        self._write_tree(folder, its_env, commit, target)

    def write_working_tree(self, repository: Path, name: str) -> Path:
        """Copy the working tree as it is into an arm: tracked and untracked files, but not ignored ones.

        Raises:
            GitError: git could not list them.
            OSError: A file could not be copied.
        """
        target = self.arm(name)
        target.mkdir()
        copy_files(repository, target, listed(repository))
        return target

    def make_repositories(self, repository: Path, commits: Mapping[str, str]) -> None:
        """Make each arm a git repository at a commit, for projects that ask git for their root folder or their version.

        It borrows the objects of the original (gitrepository-layout(5), ``objects/info/alternates``) and has its tags,
        but no branches, hooks or configuration. What code in the arm does to it leaves the original unchanged.

        Raises:
            GitError: git could not create it.
            OSError: A file could not be written.
        """
        uses_sha256 = git(repository, "rev-parse", "--show-object-format").strip() == "sha256"
        kind = {"GIT_DEFAULT_HASH": "sha256" if uses_sha256 else "sha1", "GIT_DEFAULT_REF_FORMAT": "files"}
        objects, shallow = (
            repository / git(repository, "rev-parse", "--git-path", part).rstrip("\n")
            for part in ("objects", "shallow")
        )
        tags = git(repository, "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags")
        for name, commit in commits.items():
            target = self.arm(name)
            git(target, "init", "--quiet", "--template=", env=kind)
            own = target / ".git"
            (own / "objects/info").mkdir(exist_ok=True)
            (own / "objects/info/alternates").write_bytes(os.fsencode(objects) + b"\n")
            if shallow.is_file():
                shutil.copyfile(shallow, own / "shallow")
            (own / "packed-refs").write_bytes(os.fsencode(tags))
            (own / "HEAD").write_text(f"{commit}\n", encoding="ascii")
            git(target, "read-tree", commit)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._lock)


def own_folder(parent: Path | None = None) -> Path:
    """Return the folder with all checkouts of this user, which nobody else can read; it is created if necessary.

    Args:
        parent: The folder that it is in; None: the system's folder for temporary files.

    Raises:
        PermissionError: It belongs to another user.
        OSError: It cannot be created.
    """
    owner = os.getuid()
    home = (Path(tempfile.gettempdir()) if parent is None else parent) / f"jarvisperf-arms-{owner}"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != owner:
        raise PermissionError(f"{home} belongs to somebody else: remove it, or set TMPDIR to a folder of your own")
    return home


def remove_abandoned(home: Path) -> None:
    """Remove folders of checkouts whose process is gone."""
    for folder in home.iterdir():
        try:
            lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
        except OSError:  # no lock yet: another process is creating it
            continue
        try:
            _lock_file(lock)
        except OSError:  # its process lives
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def _lock_file(descriptor: int) -> None:
    """Lock a file that nobody else has locked.

    Raises:
        BlockingIOError: Another process has locked it.
    """
    import fcntl  # Windows does not have it

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_sparse(repository: Path, env: Mapping[str, str]) -> bool:
    try:
        return git(repository, "config", "--type=bool", "core.sparseCheckout", env=env).strip() == "true"
    except GitRefusedError:  # it is not set
        return False


def _same_as_head(repository: Path, commit: str, head: Path) -> list[str]:
    """Return the files of a commit that are identical in head's arm.

    Files that git does not check (assume-unchanged, skip-worktree) are left out, because they may only seem equal.
    """
    options = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-relative", "--ignore-submodules=all")
    changed = set(git(repository, "diff", *options, commit).split("\0"))
    looked_at = (entry[2:] for entry in git(repository, "ls-files", "-v", "-z").split("\0") if entry.startswith("H "))
    return [name for name in looked_at if name not in changed and is_copied(f"{repository}/{name}", f"{head}/{name}")]
