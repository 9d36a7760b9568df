"""Writes `constraints-lowest.txt`: the lowest supported version of each dependency, by the bounds in `pyproject.toml`.

``python tests/lowest_versions.py`` writes the file, with which `tox run -e lowest` installs.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = ROOT / "constraints-lowest.txt"
HEADER = """\
# The lowest supported version of each dependency, for `tox run -e lowest`.
# Written by `python tests/lowest_versions.py` from the bounds in pyproject.toml.
"""
# torch and chromadb are gigabytes; that environment has no retrieval, like `core`.
WITHOUT = frozenset({"rag", "docx"})
_BOUND = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?>=(?P<version>[0-9.]+)(?:;.*)?")


def lowest_versions() -> str:
    """Return the content of the file.

    Raises:
        ValueError: A dependency has no lower bound, or something other than one.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *(one for name in extras if name not in WITHOUT for one in extras[name])]
    versions: dict[str, str] = {}
    for requirement in listed:
        if requirement.startswith(f"{project['name']}["):  # an extra that consists of others
            continue
        match = _BOUND.fullmatch(requirement.replace(" ", ""))
        if match is None:
            raise ValueError(f"{requirement!r} has no lower bound of the form name>=version")
        if versions.setdefault(match["name"], match["version"]) != match["version"]:
            raise ValueError(f"{match['name']} has two lower bounds; write the same one in every extra")
    return HEADER + "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))


if __name__ == "__main__":
    FILE.write_text(lowest_versions(), encoding="utf-8")
