"""Runs the commands of the tutorials and writes their real output into the pages.

The page is the script. In a page listed in `PAGES`, in order:

- a code block with a title (```` ```python title="shop/prices.py" ````) is written to that file of a temporary project;
- each line of a `console` block that begins with `$` is run there, and the block's other lines are replaced by what it
  printed. A block after `<!-- test: compile -->` is left alone: it needs the network.

Run it from the top of a clone where JarvisPerf is installed: ``python docs/capture.py [PAGE...]``
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCS = Path(__file__).parent
PAGES = ("tutorial.md", "pt/tutorial.md")
COLUMNS = 80
BLOCK = re.compile(
    r"(?P<free><!-- test: compile -->\n)?^```(?P<words>\w+[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
AUTHOR = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"), ("DATE", "2026-01-15T12:00:00Z"))
}


def surroundings(folder: Path) -> dict[str, str]:
    """Return the environment of the commands: the same width, author and time in every capture, and nothing of CI's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "GITHUB_", "GITLAB_", "JARVISPERF", "PYTEST_")) and name != "CI"
    }
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return {
        **kept,
        **AUTHOR,
        "PATH": binaries,
        "HOME": str(folder.parent),
        "COLUMNS": str(COLUMNS),
        "NO_COLOR": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "PYTHONDONTWRITEBYTECODE": "",
    }


def output_of(command: str, folder: Path, further: Mapping[str, str]) -> str:
    """Run a command in the project and return what a terminal would show, without the machine's paths."""
    done = subprocess.run(  # noqa: S603
        ["bash", "-c", command],  # noqa: S607
        cwd=folder,
        env={**surroundings(folder), **further},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if "command not found" in done.stdout or "Traceback (most recent call last)" in done.stdout:
        sys.exit(f"{command}\n{done.stdout}")
    shown = done.stdout.replace(f"{folder}/", "").replace(str(folder), "/home/ada/shop")
    shown = shown.replace(str(DOCS.parent), "/home/ada/jarvisperf")  # where an editable installation comes from
    return "".join(f"{line.rstrip()}\n" for line in shown.strip("\n").splitlines())


def captured(page: str, folder: Path, further: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return a page with the output of its commands.

    Args:
        page: Markdown.
        folder: The project, an empty folder.
        further: Environment variables for the commands.
    """

    def block(match: re.Match[str]) -> str:
        words, body = match["words"], match["body"]
        title = re.search(r'title="([^"]+)"', words)
        if title:
            path = folder / title[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body, encoding="utf-8")
        if not words.startswith("console") or match["free"]:
            return match[0]
        commands = re.findall(r"^\$ (.*)$", body, flags=re.MULTILINE)
        shown = "".join(f"$ {command}\n{output_of(command, folder, further)}" for command in commands)
        return f"```{words}\n{shown}```"

    return BLOCK.sub(block, page)


def main(names: list[str]) -> None:
    """Capture the pages with these names."""
    for name in names:
        path = DOCS / name
        with tempfile.TemporaryDirectory() as home:
            folder = Path(home) / "shop"
            folder.mkdir()
            path.write_text(captured(path.read_text(encoding="utf-8"), folder), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:] or list(PAGES))
