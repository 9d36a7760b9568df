"""What the project's own packages are called, and which folders of a checkout they are imported from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
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


class Layout(msgspec.Struct, frozen=True):
    """Where a project's code is.

    Attributes:
        packages: Names of its top-level packages and modules.
        folders: Folders that must be on the module search path, relative to the checkout, the nearest first.
    """

    packages: tuple[str, ...]
    folders: tuple[str, ...]


def find_layout(root: Path, project: Path, search_path: Iterable[str]) -> Layout:
    """Find the packages of a project in flat layout, in `src/`, and wherever else the running Python finds them.

    Args:
        root: The top folder of the repository.
        project: The folder of the project in it; the same where the repository holds one.
        search_path: `sys.path` of the running Python: its folders inside the repository count too (editable
            installations, `pythonpath`).
    """
    candidates = [project / "src", project, root / "src", root]
    inside = [root.__class__(entry) for entry in search_path if entry]
    candidates += [entry for entry in inside if entry.is_relative_to(root) and "site-packages" not in entry.parts]
    packages: dict[str, None] = {}
    folders: dict[str, None] = {}
    for folder in dict.fromkeys(candidates):
        found = _packages_in(folder, apart=frozenset(candidates), namespaces=folder.name == "src")
        if found and not _is_test_folder(folder, root):
            packages.update(dict.fromkeys(found))
            folders[str(folder.relative_to(root))] = None
    return Layout(tuple(packages), tuple(folders))


def shared_test_folder(file: str) -> str | None:
    """Give the outermost test folder that a file lies in, relative like the file itself; None: it lies in none."""
    parts = file.split("/")[:-1]
    for depth, part in enumerate(parts):
        if part in TEST_FOLDERS:
            return "/".join(parts[: depth + 1])
    return None


def _is_test_folder(folder: Path, root: Path) -> bool:
    return bool(TEST_FOLDERS.intersection(folder.relative_to(root).parts))


def _is_test_module(name: str) -> bool:
    return name.startswith(("test_", "bench_")) or name.endswith(("_test", "_bench"))


def _packages_in(folder: Path, *, apart: frozenset[Path], namespaces: bool) -> list[str]:
    if not folder.is_dir():
        return []
    names = []
    for entry in sorted(folder.iterdir()):
        name = entry.stem if entry.suffix == ".py" else entry.name
        if not name.isidentifier() or name in NO_PACKAGES or entry in apart:
            continue
        if entry.is_dir():
            if (
                (entry / "__init__.py").exists()
                or (namespaces and any(entry.rglob("*.py")))
                or any(entry.glob("*/__init__.py"))  # a namespace package, such as google
            ):
                names.append(name)
        elif entry.suffix == ".py" and name not in NO_MODULES and not _is_test_module(name):
            names.append(name)
    return names
