"""The data model of watching: what benchmarks execute, read and import, by relative names of the repository's files."""

from __future__ import annotations

import msgspec

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
        unseen: Why this is not everything, in a few words each; empty: nothing escaped.
    """

    executed: frozenset[Executed] = frozenset()
    opened: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()
    native: frozenset[str] = frozenset()
    unseen: tuple[str, ...] = ()

    def __or__(self, other: Touched) -> Touched:
        """Return what two benchmarks touch together."""
        return Touched(
            executed=self.executed | other.executed,
            opened=self.opened | other.opened,
            listed=self.listed | other.listed,
            imported=self.imported | other.imported,
            native=self.native | other.native,
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
        links: For each of the project's modules, the files of the functions, classes and modules that its names mean.
    """

    benchmarks: dict[str, Touched] = {}
    links: dict[str, frozenset[str]] = {}
