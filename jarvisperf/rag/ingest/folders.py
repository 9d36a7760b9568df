"""Finds the documents in a folder, without what belongs to tools: version control, environments, packages, caches."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jarvisperf.rag.errors import missing_package
from jarvisperf.rag.ingest.files import SUFFIXES

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_IGNORE_FILES: Final = (".gitignore", ".jarvisperfignore")
_OF_TOOLS: Final = frozenset({"node_modules", "bower_components", "__pycache__", "site-packages", "__pypackages__"})
_ENVIRONMENT: Final = "pyvenv.cfg"  # marks a virtual environment, whatever its name


@dataclass(frozen=True, slots=True)
class Folder:
    """What is in a folder.

    Attributes:
        documents: Files that can be read, sorted.
        unsupported: Files of other types, sorted.
    """

    documents: list[Path]
    unsupported: list[Path]


def documents_in(folder: Path) -> Folder:
    """Find the documents in a folder and the folders below it.

    Hidden files and folders, virtual environments, installed packages, caches, and whatever the ``.gitignore`` and
    ``.jarvisperfignore`` files in these folders name (gitignore's patterns) are passed over. Links to folders are not
    followed.

    Raises:
        OSError: A folder cannot be listed. Its files must not count as deleted.
        MissingPackageError: pathspec is not installed.
    """
    documents: list[Path] = []
    unsupported: list[Path] = []
    rules: dict[Path, list[tuple[Path, GitIgnoreSpec]]] = {}
    for name, folders, files in os.walk(folder, onerror=_raise):
        here = Path(name)
        rules[here] = [*rules.get(here.parent, []), *_rules_of(here)]
        kept = [below for below in sorted(folders) if not _is_of_tools(here / below)]
        folders[:] = [below for below in kept if not _matches(here / below, rules[here])]
        for file in sorted(here / file for file in files if not file.startswith(".")):
            if not _matches(file, rules[here]):
                (documents if file.suffix.lower() in SUFFIXES else unsupported).append(file)
    return Folder(documents, unsupported)


def _is_of_tools(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name in _OF_TOOLS or (folder / _ENVIRONMENT).is_file()


def _rules_of(folder: Path) -> list[tuple[Path, GitIgnoreSpec]]:
    found = [file for file in (folder / name for name in _IGNORE_FILES) if file.is_file()]
    if not found:
        return []
    try:
        from pathspec import GitIgnoreSpec
    except ImportError as error:
        raise missing_package("pathspec") from error
    return [
        (folder, GitIgnoreSpec.from_lines(file.read_text("utf-8", "surrogateescape").splitlines())) for file in found
    ]


def _matches(path: Path, rules: list[tuple[Path, GitIgnoreSpec]]) -> bool:
    ending = "/" if path.is_dir() else ""
    return any(spec.match_file(f"{path.relative_to(folder).as_posix()}{ending}") for folder, spec in rules)


def _raise(error: OSError) -> None:
    raise error
