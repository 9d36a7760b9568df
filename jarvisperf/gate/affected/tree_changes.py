"""What differs between base's commit and the working tree, by file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from jarvisperf.gate.affected.module_parts import ModuleParts, module_parts
from jarvisperf.gate.arms.git import git

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from jarvisperf.gate.arms.revision import Repository

Kind = Literal["python", "everything", "harmless", "data"]

# Files that configure Python, pytest or the environment, and files to compile: they can affect any benchmark.
FOR_EVERYTHING = re.compile(
    r".*\.(c|cc|cfg|cmake|cpp|cu|cxx|dll|dylib|env|f|f90|go|h|hpp|in|ini|lock|pth|pxd|pxi|py[cdx]|pyo|rs|so|toml|zig)"
    r"|\.env.*|\.gitattributes|\.gitmodules|CMakeLists\.txt|Dockerfile.*|Makefile|Pipfile.*|conftest\.py"
    r"|constraints.*\.txt|environment.*\.ya?ml|meson\.build|requirements.*\.txt|setup\.py|(site|user)customize\.py"
)
# What documents or checks the code. It counts only for a benchmark that opens it.
HARMLESS = re.compile(
    r".*\.(adoc|md|pyi|rst)|\..*|py\.typed"
    r"|(AUTHORS|CHANGELOG|CHANGES|CODEOWNERS|CONTRIBUTORS|COPYING|LICENSE|NEWS|NOTICE|README)([-.][A-Z0-9-]+)?(\.txt)?"
)
HARMLESS_FOLDERS = frozenset({".circleci", ".github", ".gitlab", "changelog.d", "doc", "docs", "newsfragments"})


class ChangedFile(NamedTuple):
    """A file that differs.

    Attributes:
        name: Its name, relative to the repository.
        exists: Whether it exists on both sides.
        kind: ``python``; ``everything``: it can affect any benchmark; ``harmless``; ``data``: any other.
    """

    name: str
    exists: bool
    kind: Kind


class ChangedModule(NamedTuple):
    """How a Python file differs.

    Attributes:
        on_import: Whether what runs while it is imported differs, or the file cannot be read.
        functions: The functions whose bodies differ, by qualified name.
    """

    on_import: bool
    functions: frozenset[str]


UNREADABLE = ChangedModule(on_import=True, functions=frozenset())


def changed_files(repository: Repository) -> list[ChangedFile]:
    """Return the files of the working tree that differ from base's commit, with those that git does not track yet.

    Raises:
        GitError: git could not compare.
    """
    words = ("diff", "--no-ext-diff", "--no-renames", "--ignore-submodules=none", "--raw", "-z", repository.base, "--")
    fields = iter(git(repository.root, *words).split("\0"))
    found = []
    for description in fields:
        if not description:
            break
        before, after, *_, status = description.removeprefix(":").split(" ")
        name = next(fields)
        is_plain = all(mode.startswith("100") for mode in (before, after) if mode != "000000")
        found.append(ChangedFile(name, status == "M", kind_of(name) if is_plain else "everything"))
    untracked = git(repository.root, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    return found + [ChangedFile(name, exists=False, kind=kind_of(name)) for name in untracked if name]


def changed_modules(repository: Repository, files: Iterable[ChangedFile]) -> dict[str, ChangedModule]:
    """Compare the Python files among the changed ones.

    Raises:
        GitError: git could not read base's version.
    """
    found = {}
    for file in files:
        if file.name.endswith(".py"):
            found[file.name] = _compared(repository, file.name) if file.exists else UNREADABLE
    return found


def parts_of(path: Path) -> ModuleParts | None:
    """Return the parts of a source file; None if it cannot be read."""
    try:
        return module_parts(path.read_bytes().decode())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


def _compared(repository: Repository, name: str) -> ChangedModule:
    try:
        base = module_parts(git(repository.root, "show", f"{repository.base}:{name}"))
    except (SyntaxError, ValueError, RecursionError):
        return UNREADABLE
    head = parts_of(repository.root / name)
    if head is None:
        return UNREADABLE
    names = base.functions.keys() | head.functions.keys()
    different = frozenset(name for name in names if base.functions.get(name) != head.functions.get(name))
    return ChangedModule(base.on_import != head.on_import, different)


def kind_of(name: str) -> Kind:
    """Return what kind of file has a name."""
    *folders, last = name.split("/")
    if FOR_EVERYTHING.fullmatch(last) or (last.endswith(".txt") and "requirements" in folders):
        return "everything"
    if last.endswith(".py"):
        return "python"
    return "harmless" if HARMLESS_FOLDERS.intersection(folders[:1]) or HARMLESS.fullmatch(last) else "data"
