"""Decides which benchmarks a change can have affected; when in doubt, all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.gate.affected.reach import Reach
from jarvisperf.gate.affected.touched import Executed, Touched, Watched
from jarvisperf.gate.affected.tree_changes import ChangedFile, ChangedModule, changed_files, changed_modules, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from jarvisperf.gate.affected.module_parts import ModuleParts
    from jarvisperf.gate.arms.revision import Repository


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
        files: The files that differ.
        modules: How Python files differ, by name.
    """

    files: tuple[ChangedFile, ...]
    modules: dict[str, ChangedModule]

    @property
    def for_everything(self) -> str | None:
        """Why every benchmark has to run, in a few words; None if that depends on what it touches."""
        names = (file.name for file in self.files if file.kind == "everything")
        return next((f"{name} changed" for name in names), None)


def read_change(repository: Repository) -> TreeChange:
    """Compare base's commit with the working tree.

    Args:
        repository: The repository and base's commit.

    Raises:
        GitError: git could not compare them.
    """
    files = tuple(changed_files(repository))
    return TreeChange(files, changed_modules(repository, files))


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
        for name, file in files.items():
            reason = judge.reason(side.watched.benchmarks.get(name), file)
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
        used = {file for own, files in side.watched.links.items() for file in files if file != own}
        self._private = frozenset(tests) - used
        self._reach = Reach(_reader(side.root), side.watched.links)

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
        of_files = (reason for one in self._changed for reason in self._of_file(one, touched, file))
        return next(of_files, None) or self._of_functions(touched, file)

    def _of_file(self, changed: ChangedFile, touched: Touched, file: str) -> Iterator[str]:
        name = changed.name
        folder, _, last = name.rpartition("/")
        if name == file:
            yield "its own file changed"
        if name in touched.opened:
            yield f"it opens {name}"
        if not changed.exists and (folder or ".") in touched.listed:
            yield f"it lists the folder of {name}"
        if changed.kind == "data" and not changed.exists:
            yield f"{name} is new or gone"
        if changed.kind == "data" and touched.native:
            yield f"{min(touched.native)} may read {name}"
        if changed.kind == "python":
            is_imported = name in touched.modules and name not in self._private
            if is_imported and self._modules[name].on_import:
                yield f"what {name} does on import changed"
            module = folder.rpartition("/")[2] if last == "__init__.py" else last.removesuffix(".py")
            if not changed.exists and any(module in one.split(".") for one in touched.imported):
                yield f"a module named {module} is new or gone"

    def _of_functions(self, touched: Touched, file: str) -> str | None:
        different = {
            Executed(name, function)
            for name, module in self._modules.items()
            if name not in self._private or name == file
            for function in module.functions
        }
        files = {one.file for one in different}
        if not files & touched.modules:
            return None
        for one in sorted(self._reach.of(touched.executed), key=lambda one: (one.file, one.name)):
            if one in different or (one.file in files and self._reach.is_unknown(one)):
                return f"{one.name} in {one.file} changed"
        return None


def _reader(root: Path) -> Callable[[str], ModuleParts | None]:
    known: dict[str, ModuleParts | None] = {}

    def read(name: str) -> ModuleParts | None:
        if name not in known:
            known[name] = parts_of(root / name)
        return known[name]

    return read
