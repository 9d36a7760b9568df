"""Decides which benchmarks a change can have affected; when in doubt, all of them."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.gate.affected.arm_differences import differing_files
from jarvisperf.gate.affected.model import Executed, Touched, Watched
from jarvisperf.gate.affected.reach import Reach, Reached, module_name
from jarvisperf.gate.affected.tree_changes import (
    UNREADABLE,
    ChangedFile,
    ChangedModule,
    changed_files,
    changed_modules,
    kind_of,
    parts_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from jarvisperf.gate.affected.module_parts import ModuleParts
    from jarvisperf.gate.arms.revision import Repository

OWN_GIT = ".git/"  # an arm's


class Side(NamedTuple):
    """One arm.

    Attributes:
        root: Its checkout.
        watched: What its benchmarks touch.
    """

    root: Path
    watched: Watched


class TreeChange(NamedTuple):
    """What differs between base's commit and the working tree.

    Attributes:
        files: The files that differ, according to git or in the arms.
        modules: How Python files differ, by name.
    """

    files: tuple[ChangedFile, ...]
    modules: dict[str, ChangedModule]

    @property
    def for_everything(self) -> str | None:
        """Why every benchmark has to run, in a few words; None if that depends on what it touches."""
        names = (file.name for file in self.files if file.kind == "everything")
        return next((f"{name} changed" for name in names), None)


def read_change(repository: Repository, arms: tuple[Path, Path] | None = None) -> TreeChange:
    """Compare base's commit with the working tree.

    Args:
        repository: The repository and base's commit.
        arms: The checkouts of base and head, for differences that git does not report; None: trust git.

    Raises:
        GitError: git could not compare them.
        OSError: A file could not be read.
    """
    files = tuple(changed_files(repository))
    modules = changed_modules(repository, files)
    if arms is None:
        return TreeChange(files, modules)
    hidden = tuple(differing_files(*arms, known={file.name for file in files}))
    modules |= {file.name: UNREADABLE for file in hidden if file.kind == "python"}
    return TreeChange(files + hidden, modules)


def reasons_to_run(change: TreeChange, sides: Iterable[Side], files: Mapping[str, str]) -> dict[str, str]:
    """Return why benchmarks have to run, in a few words, by id; the others cannot be affected.

    Program and data are the same in both arms until a benchmark reaches something that differs. So whatever one arm
    touches decides for both; both are asked because what they draw at random may differ.

    Args:
        change: What differs.
        sides: The arms, one or more.
        files: The file of each benchmark, relative to the repository, by id.
    """
    if change.for_everything is not None:
        return dict.fromkeys(files, change.for_everything)
    found: dict[str, str] = {}
    for side in sides:
        judge = _Judge(side, change, frozenset(files.values()))
        touched = side.watched.with_makers()
        for name, file in files.items():
            reason = judge.reason(touched.get(name), file)
            if reason is not None:
                found.setdefault(name, reason)
    return found


class _Judge:
    """Judges the benchmarks of one arm.

    Args:
        side: The arm.
        change: What differs.
        tests: The benchmarks' files. Both arms use head's, so one of them matters only to its own benchmarks, unless
            another module uses it.
    """

    def __init__(self, side: Side, change: TreeChange, tests: Collection[str]) -> None:
        self._changed = change.files
        self._modules = change.modules
        linked = (
            (own, file) for own, names in side.watched.links.items() for files in names.values() for file in files
        )
        used = {file for own, file in linked if file != own}
        self._private = frozenset(tests) - used
        self._root = side.root
        self._reach = Reach(_reader(side.root), side.watched.links)
        self._places: dict[str, set[str]] | None = None

    def reason(self, touched: Touched | None, file: str) -> str | None:
        """Return why a benchmark has to run; None if it cannot be affected.

        Args:
            touched: What it touches; None: unknown.
            file: Its file.
        """
        if touched is None:
            return "it could not be watched"
        if touched.unseen:
            return touched.unseen[0]
        of_git = min((one for one in touched.opened if one.startswith(OWN_GIT)), default=None)
        if of_git is not None:
            return f"it opens {of_git}, and each arm is a repository at its own commit"
        if not self._changed:
            return None
        reached = self._reach.of(touched.executed, touched.modules)
        of_files = (
            reason
            for one in self._changed
            for reason in (*_of_any_file(one, touched, file), *self._of_kind(one, touched, reached))
        )
        return next(of_files, None) or self._of_functions(touched, reached, file)

    def _of_kind(self, changed: ChangedFile, touched: Touched, reached: Reached) -> Iterator[str]:
        if changed.kind == "python":
            yield from self._of_module(changed, touched)
            return
        folder, _, last = changed.name.rpartition("/")
        if last in reached.names:
            yield f"it may open {changed.name}"
        if changed.kind == "data":
            if not changed.exists:
                yield f"{changed.name} is new or gone"
            if touched.native:
                yield f"{min(touched.native)} may read {changed.name}"
            near = min((one for one in touched.opened if _is_near(one, folder)), default=None)
            if near is not None:
                yield f"it opens {near}, which is next to {changed.name}"

    def _of_module(self, changed: ChangedFile, touched: Touched) -> Iterator[str]:
        name = changed.name
        if name in touched.modules and name not in self._private and self._modules[name].on_import:
            yield f"what {name} does on import changed"
        module = module_name(name)
        if not changed.exists and any(module in one.split(".") for one in touched.imported):
            yield f"a module named {module} is new or gone"

    def _of_functions(self, touched: Touched, reached: Reached, file: str) -> str | None:
        different = {
            Executed(name, function)
            for name, module in self._modules.items()
            if name not in self._private or name == file
            for function in module.functions
        }
        files = {one.file for one in different} & touched.modules
        elsewhere = self._modules.keys() - touched.modules - self._private
        if not files and not elsewhere:
            return None
        for one in sorted(reached.functions, key=lambda one: (one.file, one.name)):
            if one in different or (one.file in files and self._reach.is_unknown(one)):
                return f"{one.name} in {one.file} changed"
            # What a module that was not imported imports in turn is unknown.
            if elsewhere and (more := self._not_imported(one, touched)):
                return f"{one.name} in {one.file} may import {more}"
        return None

    def _not_imported(self, one: Executed, touched: Touched) -> str | None:
        """Return a module of the project that a function may import, and that the benchmark has not imported."""
        if self._places is None:
            self._places = {}
            for path in self._root.rglob("*.py"):
                file = path.relative_to(self._root).as_posix()
                self._places.setdefault(module_name(file), set()).add(file)
        found = {file for part in self._reach.imports(one) for file in self._places.get(part, ())}
        return min(found - touched.modules, default=None)


def _of_any_file(changed: ChangedFile, touched: Touched, file: str) -> Iterator[str]:
    if changed.name == file:
        yield "its own file changed"
    if changed.name in touched.opened:
        yield f"it opens {changed.name}"
    if not changed.exists and any(str(one) in touched.listed for one in PurePosixPath(changed.name).parents):
        yield f"it lists the folder of {changed.name}"


def _is_near(opened: str, folder: str) -> bool:
    """Return whether a data file is in a folder, from which it may have been chosen."""
    return opened.rpartition("/")[0] == folder and kind_of(opened) == "data"


def _reader(root: Path) -> Callable[[str], ModuleParts | None]:
    known: dict[str, ModuleParts | None] = {}

    def read(name: str) -> ModuleParts | None:
        if name not in known:
            known[name] = parts_of(root / name)
        return known[name]

    return read
