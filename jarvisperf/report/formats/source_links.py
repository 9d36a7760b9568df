"""Links to source lines and to the run's own page, where the CI says which repository this is.

Sources: GitHub's "Variables reference" and GitLab's "Predefined CI/CD variables reference".
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping


class Hosting(NamedTuple):
    """Where the repository is hosted.

    Attributes:
        blob: The address of a file's lines, with ``{commit}`` and ``{path}``.
        lines: The address's end for a range of lines, with ``{first}`` and ``{last}``.
        workspace: The folder of the checkout.
        page: The page on which this run's files can be downloaded; empty if unknown.
    """

    blob: str
    lines: str
    workspace: Path
    page: str


def hosting_of(environ: Mapping[str, str]) -> Hosting | None:
    """Return where the repository is hosted, according to the environment of a CI job; None if it does not say."""
    server, repository = environ.get("GITHUB_SERVER_URL"), environ.get("GITHUB_REPOSITORY")
    if server and repository:
        address = f"{server}/{repository}"
        number = environ.get("GITHUB_RUN_ID")
        page = f"{address}/actions/runs/{number}#artifacts" if number else ""
        workspace = Path(environ.get("GITHUB_WORKSPACE", "."))
        return Hosting(address + "/blob/{commit}/{path}", "#L{first}-L{last}", workspace, page)
    project = environ.get("CI_PROJECT_URL")
    if project:
        job = environ.get("CI_JOB_URL")
        page = f"{job}/artifacts/browse" if job else ""
        workspace = Path(environ.get("CI_PROJECT_DIR", "."))
        return Hosting(project + "/-/blob/{commit}/{path}", "#L{first}-{last}", workspace, page)
    return None


def link_to(hosting: Hosting | None, commit: str | None, file: str, line: int) -> str:
    """Return the address of the function around a line; empty if it is unknown.

    Args:
        hosting: Where the repository is hosted.
        commit: The commit whose lines are shown.
        file: The file, relative to the checkout.
        line: A line of the function, from 1; 0 if unknown.
    """
    if hosting is None or commit is None or line < 1 or not re.fullmatch(r"[0-9a-f]{7,64}", commit):
        return ""
    path = hosting.workspace / file
    if Path(file).is_absolute() or ".." in Path(file).parts or not path.is_file():
        return ""
    first, last = function_around(path, line)
    return hosting.blob.format(commit=commit, path=quote(file)) + hosting.lines.format(first=first, last=last)


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
