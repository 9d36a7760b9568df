"""The data model of watching: what benchmarks execute, read and import, by relative names of the repository's files."""

from __future__ import annotations

import msgspec

Links = dict[str, dict[str, frozenset[str]]]  # for each file, the files that each of its names refers to
MODULE = "<module>"  # the name of a module's own code


class Executed(msgspec.Struct, frozen=True, array_like=True):
    """Code of the project that ran, or that something read (`inspect`, a compiler for numbers, a serializer).

    Attributes:
        file: Its file, relative to the repository.
        name: Its qualified name; ``<module>``: the file was imported or run.
    """

    file: str
    name: str


class Touched(msgspec.Struct, frozen=True):
    """What one benchmark touches.

    Attributes:
        executed: The code that ran.
        opened: Files that were opened, or looked for, other than by the import system.
        listed: Folders that were listed.
        imported: Dotted names of modules that were looked for.
        native: Compiled modules of other projects, whose accesses to files cannot be seen.
        reads: Files anywhere that it opened for reading, by absolute path; not those of the system.
        writes: Files anywhere that it wrote, likewise.
        unseen: Why this is not everything, in a few words each; empty: nothing escaped.
    """

    executed: frozenset[Executed] = frozenset()
    opened: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()
    native: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    unseen: tuple[str, ...] = ()

    def __or__(self, other: Touched) -> Touched:
        """Return what two benchmarks touch together."""
        return Touched(
            executed=self.executed | other.executed,
            opened=self.opened | other.opened,
            listed=self.listed | other.listed,
            imported=self.imported | other.imported,
            native=self.native | other.native,
            reads=self.reads | other.reads,
            writes=self.writes | other.writes,
            unseen=tuple(dict.fromkeys((*self.unseen, *other.unseen))),
        )

    @property
    def modules(self) -> frozenset[str]:
        """The project's files that were imported or run."""
        return frozenset(one.file for one in self.executed if one.name == MODULE)


class Watched(msgspec.Struct, frozen=True):
    """What the benchmarks of one arm touch.

    Attributes:
        benchmarks: By id; whatever was touched before the first benchmark counts for each of them.
        links: For each of the project's modules, the files of the functions, classes and modules that each of its names
            means or contains.
    """

    benchmarks: dict[str, Touched] = {}
    links: Links = {}

    def with_makers(self) -> dict[str, Touched]:
        """Return what benchmarks touch, each with what those touch that made files for it: it finds their result.

        One may have found a file that another made just before, and would make it itself in another order.
        """
        makers: dict[str, set[str]] = {}
        for name, one in self.benchmarks.items():
            for path in one.writes:
                makers.setdefault(path, set()).add(name)
        return {name: self._with_makers(name, makers) for name in self.benchmarks}

    def _with_makers(self, name: str, makers: dict[str, set[str]]) -> Touched:
        whole, todo, done = self.benchmarks[name], {name}, {name}
        while todo:
            reads = self.benchmarks[todo.pop()].reads
            new = {maker for path in reads & makers.keys() for maker in makers[path]} - done
            todo |= new
            done |= new
        for maker in sorted(done - {name}):
            whole |= self.benchmarks[maker]
        return whole
