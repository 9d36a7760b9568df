"""Finds the base commit: the merge base of a revision and HEAD, or the revision itself."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from jarvisperf.gate.arms.git import GitError, GitRefusedError, git

REMOTE = re.compile(r"\w[\w.-]*")


class Repository(msgspec.Struct, frozen=True):
    """A git repository and the commits that are compared.

    Attributes:
        root: The top folder of the working tree.
        base: The full hash of the base's commit.
        head: The full hash of HEAD.
    """

    root: Path
    base: str
    head: str


def resolve(folder: Path, revision: str, *, exact: bool) -> Repository:
    """Find the commits to compare.

    Args:
        folder: Any folder of the repository.
        revision: Anything that git accepts as a commit: a branch, a tag, a hash, ``HEAD~3``.
        exact: Whether to take the revision itself instead of its merge base with HEAD.

    Raises:
        GitError: There is no repository or git refuses to open it, the revision is unknown, or there is no common
            ancestor, perhaps because the clone is shallow; the message says which, and which command helps.
    """
    try:
        # In English, whatever the user's language: the message is matched below.
        root = Path(git(folder, "rev-parse", "--show-toplevel", env={"LC_ALL": "C"}).rstrip("\n"))
    except GitError as error:
        if "not a git repository" in str(error):
            raise GitError(f"{folder} is not in a git repository, so there is no revision to compare with") from None
        raise
    try:
        head = git(root, "rev-parse", "--verify", "HEAD^{commit}").strip()
    except GitRefusedError:
        raise GitError(f"the repository {root} has no commit yet, so there is nothing to compare with") from None
    shallow = git(root, "rev-parse", "--is-shallow-repository").strip() == "true"
    try:
        found = git(root, "rev-parse", "--verify", "--end-of-options", revision).strip()
        commit = git(root, "rev-parse", "--verify", f"{found}^{{commit}}").strip()
    except GitRefusedError:
        raise GitError(f"unknown revision {revision!r} in {root}; {_fetch_advice(revision, shallow=shallow)}") from None
    if exact:
        return Repository(root, commit, head)
    try:
        base = git(root, "merge-base", commit, head).split()[0]
    except GitRefusedError:
        if shallow:
            raise GitError(
                f"this clone is shallow and lacks the common ancestor of {revision!r} and HEAD; "
                "fetch the history first: git fetch --unshallow (or a checkout with full depth)"
            ) from None
        raise GitError(
            f"{revision!r} and HEAD have no common ancestor; to compare with {revision!r} itself add "
            "--jarvis-against-exact"
        ) from None
    return Repository(root, base, head)


def _fetch_advice(revision: str, *, shallow: bool) -> str:
    remote, _, branch = revision.partition("/")
    if branch and REMOTE.fullmatch(remote):
        depth = "--unshallow " if shallow else ""
        return f"if it is a branch of the remote {remote!r}, fetch it first: git fetch {depth}{remote} {branch}"
    if shallow:
        return "this clone is shallow; fetch the history first: git fetch --unshallow"
    return "git branch --all and git tag list the known ones"
