"""Links to commits, source lines and the run's own page, where it is known which repository this is.

Sources: GitHub's "Variables reference", GitLab's "Predefined CI/CD variables reference".
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jarvisperf.report.findings.model import Findings


class Style(NamedTuple):
    """The addresses of a kind of host.

    Attributes:
        blob: The end of the address of a file's lines.
        commit: The end of the address of a commit.
    """

    blob: str
    commit: str


GITHUB = Style("/blob/{commit}/{path}#L{first}-L{last}", "/commit/{commit}")
# By a part of the host's name; GitHub's style is for all others.
STYLES = {
    "gitlab": Style("/-/blob/{commit}/{path}#L{first}-{last}", "/-/commit/{commit}"),
    "bitbucket": Style("/src/{commit}/{path}#lines-{first}:{last}", "/commits/{commit}"),
    **dict.fromkeys(
        ("codeberg", "gitea", "forgejo"), Style("/src/commit/{commit}/{path}#L{first}-L{last}", "/commit/{commit}")
    ),
}


class Hosting(NamedTuple):
    """Where the repository is hosted.

    Attributes:
        address: The repository's page.
        style: How the addresses below it look.
        workspace: The folder of the checkout.
        page: The page on which this run's files can be downloaded; empty if unknown.
    """

    address: str
    style: Style
    workspace: Path
    page: str


def hosting_of(environ: Mapping[str, str], repository: str | None = None) -> Hosting | None:
    """Return where the repository is hosted; None if nothing says so.

    Args:
        environ: The environment, which says it in a CI job of GitHub or GitLab.
        repository: The repository's address, which takes precedence; None if unknown.
    """
    server, name = environ.get("GITHUB_SERVER_URL"), environ.get("GITHUB_REPOSITORY")
    if server and name:
        address, style = f"{server}/{name}", GITHUB
        number = environ.get("GITHUB_RUN_ID")
        page = f"{address}/actions/runs/{number}#artifacts" if number else ""
        workspace = environ.get("GITHUB_WORKSPACE", ".")
    elif environ.get("CI_PROJECT_URL"):
        address, style = environ["CI_PROJECT_URL"], STYLES["gitlab"]
        job = environ.get("CI_JOB_URL")
        page = f"{job}/artifacts/browse" if job else ""
        workspace = environ.get("CI_PROJECT_DIR", ".")
    else:
        address, style, page, workspace = "", GITHUB, "", "."
    if repository and repository.rstrip("/") != address:
        host = urlsplit(repository).hostname or ""
        address = repository.rstrip("/")
        style = next((style for part, style in STYLES.items() if part in host), GITHUB)
    return Hosting(address, style, Path(workspace), page) if address.startswith(("https://", "http://")) else None


def function_links(findings: Findings, environ: Mapping[str, str] | None = None) -> Callable[[str, int], str]:
    """Return a function that returns the address of the function around a line of head, see `link_to`.

    Args:
        findings: The findings.
        environ: The environment; None: that of this process.
    """
    hosting = hosting_of(os.environ if environ is None else environ, findings.repository)
    head = findings.head
    commit = None if head.dirty else head.commit  # the lines of changed files are not those of the commit
    return lambda file, line: link_to(hosting, commit, file, line)


def link_to(hosting: Hosting | None, commit: str | None, file: str, line: int) -> str:
    """Return the address of the function around a line; empty if it is unknown.

    Args:
        hosting: Where the repository is hosted.
        commit: The commit whose lines are shown.
        file: The file, relative to the checkout.
        line: A line of the function, from 1; 0 if unknown.
    """
    if hosting is None or line < 1 or not _is_hash(commit):
        return ""
    path = hosting.workspace / file
    if Path(file).is_absolute() or ".." in Path(file).parts or not path.is_file():
        return ""
    first, last = function_around(path, line)
    return hosting.address + hosting.style.blob.format(commit=commit, path=quote(file), first=first, last=last)


def commit_link(hosting: Hosting | None, commit: str | None) -> str:
    """Return the address of a commit; empty if it is unknown."""
    return hosting.address + hosting.style.commit.format(commit=commit) if hosting and _is_hash(commit) else ""


def function_around(path: Path, line: int) -> tuple[int, int]:
    """Return the first and last line of the innermost function around a line; the line itself if there is none."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):  # not Python, or not this Python's
        return line, line
    found = [
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return max(found, default=(line, line))


def _is_hash(commit: str | None) -> bool:
    return commit is not None and re.fullmatch(r"[0-9a-f]{7,64}", commit) is not None
