"""Finds the project's own packages, and the folders of a checkout that they are imported from."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.gate.project.declared import declared_sources
from jarvisperf.gate.project.installed import Installed, topmost

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TEST_FOLDERS = frozenset(
    {"test", "tests", "testing", "bench", "benches", "benchmark", "benchmarks", "perf", "performance"}
)
NO_PACKAGES = TEST_FOLDERS | {
    "doc",
    "docs",
    "example",
    "examples",
    "script",
    "scripts",
    "build",
    "dist",
    "node_modules",
}
NO_MODULES = frozenset({"setup", "conftest", "noxfile", "fabfile", "tasks", "versioneer"})
NAMESPACE_DEPTH = 4  # google.cloud.storage.control has three levels above its package
NAMESPACE_MARKS = (b"declare_namespace(", b"extend_path(")
CYTHON = ".pyx"  # its module may be built outside the checkout, as pyximport does
CODE = (".py", CYTHON, ".so", ".pyd")


class Layout(msgspec.Struct, frozen=True):
    """The layout of a project's code.

    Attributes:
        packages: Dotted names of its topmost own packages and modules: `pkg`, or `google.cloud.pkg` in a namespace
            shared with others.
        folders: Folders to put on the module search path, relative to the checkout, in order.
        names: Dotted names of all code in the checkout, the project's or not: a base may lack some of it.
    """

    packages: tuple[str, ...]
    folders: tuple[str, ...]
    names: tuple[str, ...] = ()

    def places(self) -> tuple[str, ...]:
        """Return where the project's packages and modules may be, relative to the checkout, without a suffix."""
        found = (f"{folder}/{package.replace('.', '/')}" for folder in self.folders for package in self.packages)
        return tuple(place.removeprefix("./") for place in found)


def find_layout(root: Path, project: Path, search_path: Iterable[str], installed: Installed | None = None) -> Layout:
    """Find a project's packages from its metadata or, without metadata, from its folders.

    Without metadata, the packages in flat layout, in `src/`, and in search path folders of the running Python are
    assumed to be the project's. With metadata, such folders only stay on the search path.

    Args:
        root: The top folder of the repository.
        project: The project's folder; the same as `root` if the repository holds a single project.
        search_path: `sys.path` of the running Python; its folders inside the repository count too (editable
            installations, `pythonpath`).
        installed: The code installed from the repository.
    """
    installed = installed or Installed()
    found = _FoundLayout(root)
    inside = [root.__class__(entry) for entry in search_path if entry]
    searched = [entry for entry in inside if entry.is_relative_to(root) and "site-packages" not in entry.parts]
    searched += [root / folder for folder in installed.folders]
    projects = [project, *(root / folder for folder in installed.projects)]
    guessed = [folder for one in dict.fromkeys((*projects, root)) for folder in (one / "src", one)]
    for one in dict.fromkeys(projects):
        for source in declared_sources(one):
            folder = root.__class__(os.path.normpath(one / source.folder))
            names = [name for declared in source.names for name in _own(folder, declared)]
            if not source.names:
                found_here = _packages_in(folder, frozenset(), namespaces=True)
                names = [name for name in found_here if _is_chosen(name, source.include, source.exclude)]
            found.declare(folder, names or (source.names if source.compiled else ()), on_path=bool(names))
    knows = bool(found.packages)
    for folder in dict.fromkeys([*([] if knows else guessed), *searched]):
        if not _is_test_folder(folder, root):
            names = _packages_in(folder, frozenset({*guessed, *searched}), namespaces=folder.name == "src")
            found.guess(folder, names, own=not knows)
            found.packages.update(dict.fromkeys(name for name in names if (folder / f"{name}{CYTHON}").is_file()))
    found.packages.update(dict.fromkeys(installed.packages))
    return Layout(tuple(topmost(found.packages)), tuple(found.folders), tuple(topmost([*found.packages, *found.names])))


class _FoundLayout:
    """The layout found so far."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.packages: dict[str, None] = {}
        self.names: dict[str, None] = {}
        self.folders: dict[str, None] = {}

    def declare(self, folder: Path, names: Iterable[str], *, on_path: bool) -> None:
        """Add packages that the metadata declares."""
        self.packages.update(dict.fromkeys(names))
        if on_path and folder.is_relative_to(self._root):
            self.folders[str(folder.relative_to(self._root))] = None

    def guess(self, folder: Path, names: Iterable[str], *, own: bool) -> None:
        """Add packages found by looking at a folder."""
        chosen = dict.fromkeys(names)
        self.names.update(chosen)
        if own:
            self.packages.update(chosen)
        if chosen:
            self.folders[str(folder.relative_to(self._root))] = None


def is_or_is_in(name: str, package: str) -> bool:
    """Return whether a dotted name is a package or lies in it."""
    return name == package or name.startswith(f"{package}.")


def shared_test_folder(file: str, packages: Iterable[str] = ()) -> str | None:
    """Return the outermost test folder that contains a file, relative to the checkout; None if there is none.

    Args:
        file: A file's name, relative to the checkout.
        packages: The places of the project's packages; a folder that is or contains one is not a test folder.
    """
    parts = file.split("/")[:-1]
    for depth, part in enumerate(parts):
        folder = "/".join(parts[: depth + 1])
        if part in TEST_FOLDERS and not any(is_in_folder(package, folder) for package in packages):
            return folder
    return None


def is_in_folder(name: str, folder: str) -> bool:
    """Return whether a path is a folder or lies in it."""
    return name == folder or name.startswith(f"{folder}/")


def _is_test_folder(folder: Path, root: Path) -> bool:
    return bool(TEST_FOLDERS.intersection(folder.relative_to(root).parts))


def _is_test_module(name: str) -> bool:
    return name.startswith(("test_", "bench_")) or name.endswith(("_test", "_bench"))


def _is_chosen(name: str, include: Iterable[str], exclude: Iterable[str]) -> bool:
    return any(fnmatchcase(name, one) for one in include) and not any(fnmatchcase(name, one) for one in exclude)


def _packages_in(folder: Path, apart: frozenset[Path], *, namespaces: bool) -> list[str]:
    """Return the packages and modules in a folder on the search path.

    Args:
        folder: The folder.
        apart: Folders that are on the search path themselves.
        namespaces: Whether a folder that contains only modules counts as a namespace package.
    """
    if not folder.is_dir():
        return []
    names: list[str] = []
    for entry in sorted(folder.iterdir()):
        name = _module_name(entry)
        if not name.isidentifier() or name in NO_PACKAGES or entry in apart:
            continue
        if entry.is_dir():
            names += _in_namespace(entry, name, modules=namespaces)
        elif entry.suffix in CODE and name not in NO_MODULES and not _is_test_module(name):
            names.append(name)
    return names


def _own(folder: Path, name: str) -> Iterator[str]:
    """Return the names that a declared name stands for: itself, or the packages in it if it is a shared namespace."""
    place = folder.joinpath(*name.split("."))
    if place.is_dir():
        yield from _in_namespace(place, name, modules=True)
    elif any(place.with_suffix(suffix).exists() for suffix in CODE) or any(place.parent.glob(f"{place.name}.*.so")):
        yield name


def _in_namespace(place: Path, name: str, *, modules: bool) -> list[str]:
    """Descend to the packages that contain code; nothing else in a namespace belongs to the project alone."""
    start = place / "__init__.py"
    if start.exists() and not any(mark in start.read_bytes() for mark in NAMESPACE_MARKS):
        return [name]
    if name.count(".") >= NAMESPACE_DEPTH:
        return []
    names: list[str] = []
    with os.scandir(place) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            part, is_code = entry.name.split(".")[0], entry.name.endswith(CODE)
            if entry.is_dir(follow_symlinks=False) and entry.name.isidentifier():
                names += _in_namespace(place / entry.name, f"{name}.{part}", modules=modules)
            elif modules and is_code and part.isidentifier() and part != "__init__":
                names.append(f"{name}.{part}")
    return names


def _module_name(entry: Path) -> str:
    return entry.name.split(".")[0] if entry.suffix in CODE else entry.name
