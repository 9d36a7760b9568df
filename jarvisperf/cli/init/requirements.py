"""Finds out where a project declares what its tests need: extras, dependency groups, requirement files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PYTEST = frozenset({"pytest"})
BENCHMARK_PLUGINS = frozenset({"pytest-benchmark", "pytest-codspeed"})
REQUIREMENT_FILES = ("requirements*.txt", "*requirements.txt", "requirements/*.txt", "*/requirements.txt")
NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


@dataclass(frozen=True, slots=True)
class Requirements:
    """What to install for the tests, by the kind of place that declares it.

    Attributes:
        extras: Extras of the project (``[project.optional-dependencies]``).
        groups: Dependency groups (``[dependency-groups]``, or poetry's and pdm's own).
        files: Requirement files, relative to the project.
        declares_jarvisperf: Whether any of these places names jarvisperf.
    """

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    declares_jarvisperf: bool = False
    optional_groups: frozenset[str] = field(default=frozenset())


def names_of(requirements: object) -> set[str]:
    """Return the normalized names of the packages in a list of requirements or in poetry's table of them."""
    if isinstance(requirements, dict):
        return {_normalized(name) for name in requirements}
    if not isinstance(requirements, list):
        return set()
    found = (NAME.match(line) for line in requirements if isinstance(line, str))
    return {_normalized(match[1]) for match in found if match}


def read_requirements(root: Path, data: Mapping[str, Any]) -> Requirements:
    """Find the places that declare pytest or a benchmark plugin.

    Args:
        root: The project's folder.
        data: Its parsed ``pyproject.toml``; empty if there is none.
    """
    project = _table(data, "project")
    poetry = _table(data, "tool", "poetry")
    extras = {name: names_of(lines) for name, lines in _table(project, "optional-dependencies").items()}
    declared = _table(data, "dependency-groups")
    groups = {name: _with_included(name, declared, set()) for name in declared}
    optional = set()
    for name, table in _table(poetry, "group").items():
        if isinstance(table, dict):
            groups[name] = groups.get(name, set()) | names_of(table.get("dependencies"))
            if table.get("optional"):
                optional.add(name)
    if "dev-dependencies" in poetry:
        groups["dev"] = groups.get("dev", set()) | names_of(poetry["dev-dependencies"])
    for name, lines in _table(data, "tool", "pdm", "dev-dependencies").items():
        groups[name] = groups.get(name, set()) | names_of(lines)
    files = {}
    for pattern in REQUIREMENT_FILES:
        for path in sorted(root.glob(pattern)):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            files[path.relative_to(root).as_posix()] = names_of([line for line in lines if not line.startswith("-")])
    places = (*extras.values(), *groups.values(), *files.values(), names_of(project.get("dependencies")))
    return Requirements(
        extras=_chosen(extras),
        groups=_chosen(groups),
        files=_chosen(files),
        declares_jarvisperf=any("jarvisperf" in names for names in places),
        optional_groups=frozenset(optional),
    )


def _chosen(places: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Return the smallest place with a benchmark plugin, and the smallest with pytest if that one lacks it."""
    chosen: list[str] = []
    for needed in (BENCHMARK_PLUGINS, PYTEST):
        if any(places[name] & needed for name in chosen):
            continue
        having = [name for name, names in places.items() if names & needed]
        chosen += sorted(having, key=lambda name: (len(places[name]), name))[:1]
    return tuple(chosen)


def _with_included(name: str, groups: Mapping[str, Any], seen: set[str]) -> set[str]:
    """Return the names in a dependency group, with those of the groups that it includes (PEP 735)."""
    if name in seen or not isinstance(groups.get(name), list):
        return set()
    seen.add(name)
    found = names_of(groups[name])
    for entry in groups[name]:
        if isinstance(entry, dict) and isinstance(entry.get("include-group"), str):
            found |= _with_included(entry["include-group"], groups, seen)
    return found


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _table(data: Mapping[str, Any], *path: str) -> dict[str, Any]:
    found: object = data
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
