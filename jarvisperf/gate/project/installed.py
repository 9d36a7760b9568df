"""Finds the distributions that were installed into this Python from a repository, and what they contain.

An installer notes the folder or file that a distribution came from in `direct_url.json`
(https://packaging.python.org/en/latest/specifications/direct-url/) and its files in `RECORD`.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FINDERS = "__editable___"  # prefix of the modules with which setuptools maps packages to folders
MODULES = (".py", ".so", ".pyd")


class Installed(msgspec.Struct, frozen=True):
    """The code installed from a repository.

    Attributes:
        projects: Folders of projects, relative to the repository.
        packages: Dotted names of packages and modules.
        folders: Folders on the module search path that contain them, relative to the repository.
    """

    projects: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


def installed_from(repository: Path) -> Installed:
    """Find what was installed into this Python from a repository.

    Args:
        repository: The top folder of the working tree.
    """
    projects, packages, folders = dict[str, None](), dict[str, None](), dict[str, None]()
    for distribution in importlib.metadata.distributions():
        place = _origin(distribution)
        if place is not None and place.is_relative_to(repository):
            packages.update(dict.fromkeys(_packages(distribution)))
            if place.is_dir():
                projects[place.relative_to(repository).as_posix()] = None
    for name, place in _mapped():
        if place.is_relative_to(repository):
            packages[name] = None
            parts, inside = name.split("."), place.relative_to(repository).parts
            if list(inside[-len(parts) :]) == parts:
                folders["/".join(inside[: -len(parts)]) or "."] = None
    return Installed(tuple(projects), tuple(packages), tuple(folders))


def topmost(names: Iterable[str]) -> list[str]:
    """Leave out names that lie below another one."""
    chosen = dict.fromkeys(names)
    return [name for name in chosen if not any(parent in chosen for parent in _parents(name))]


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _origin(distribution: importlib.metadata.Distribution) -> Path | None:
    try:
        url = urlsplit(json.loads(distribution.read_text("direct_url.json") or "{}").get("url", ""))
    except (json.JSONDecodeError, AttributeError, ValueError):
        return None
    return Path(unquote(url.path)).resolve() if url.scheme == "file" else None


def _packages(distribution: importlib.metadata.Distribution) -> list[str]:
    """Return the regular packages and the modules among a distribution's files."""
    names = []
    for file in distribution.files or ():
        *folders, last = file.parts
        name = last.split(".")[0]
        dotted = ".".join(folders if name == "__init__" else [*folders, name])
        is_ours = last.endswith(MODULES) and not last.startswith(("__editable__", "_editable", "__mypyc"))
        if is_ours and dotted and all(part.isidentifier() for part in dotted.split(".")):
            names.append(dotted)
    return topmost(names)


def _mapped() -> Iterator[tuple[str, Path]]:
    for name, module in list(sys.modules.items()):
        if name.startswith(FINDERS):
            for package, place in dict(getattr(module, "MAPPING", {})).items():
                yield package, Path(place).resolve()
