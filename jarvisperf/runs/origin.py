"""The web address of the repository, from the environment of a CI job or git's remote `origin`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.runs.commit import ask_git

if TYPE_CHECKING:
    from collections.abc import Mapping

# Hosts whose repositories have web pages below the same address; elsewhere, users say which address it is.
KNOWN_HOSTS = ("github", "gitlab", "bitbucket", "codeberg", "gitea", "forgejo")
_URL = re.compile(r"(?:https?|ssh|git)://(?:[^@/]*@)?(?P<host>[\w.-]+)(?::\d+)?/(?P<path>[\w./~-]+?)(?:\.git)?/?")
_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>[\w.-]+):(?P<path>[\w./~-]+?)(?:\.git)?/?")


def repository_address(folder: Path, environ: Mapping[str, str]) -> str | None:
    """Return the address of the repository whose top is a folder; None if it is unknown, or the top is elsewhere.

    Args:
        folder: The folder that paths in the report are relative to.
        environ: The environment.
    """
    top = ask_git(folder, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != folder.resolve():
        return None
    server, name = environ.get("GITHUB_SERVER_URL"), environ.get("GITHUB_REPOSITORY")
    if server and name:
        return f"{server}/{name}"
    return environ.get("CI_PROJECT_URL") or web_address(ask_git(folder, "remote", "get-url", "origin") or "")


def web_address(remote: str) -> str | None:
    """Return the web address of a remote on a known host, without user and password; None for any other remote.

    Args:
        remote: The remote's URL, like ``git@github.com:ada/project.git``.
    """
    match = _URL.fullmatch(remote) or _SCP.fullmatch(remote)
    if match is None or not any(host in match["host"] for host in KNOWN_HOSTS):
        return None
    return f"https://{match['host']}/{match['path'].lstrip('/')}"
