"""What executed code may call besides what it was seen to call: a branch taken once in a thousand calls, for example.

A name is looked up in its own file and in the files that this file's names refer to. It stands for what its
definition mentions: a table of functions, a class with its bases. An attribute may also be a method of any class
that the benchmark mentions or was seen to use ("rapid type analysis", D. F. Bacon and P. F. Sweeney, "Fast Static
Analysis of C++ Virtual Function Calls", 1996). So more is found than is really called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.gate.affected.model import MODULE, Executed
from jarvisperf.gate.affected.module_parts import is_special

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from jarvisperf.gate.affected.model import Links
    from jarvisperf.gate.affected.module_parts import ModuleParts


class Reached(NamedTuple):
    """What a benchmark may reach.

    Attributes:
        functions: The functions that it may call.
        names: The names that they mention, directly or not.
    """

    functions: set[Executed]
    names: set[str]


class Reach:
    """Finds what code of one arm may call.

    Args:
        parts: Returns the parts of a file; None if it cannot be read.
        links: For each file, the files that its names refer to.
    """

    def __init__(self, parts: Callable[[str], ModuleParts | None], links: Links) -> None:
        self._parts = parts
        self._links = links
        self._indexes: dict[frozenset[str], _Index] = {}

    def of(self, executed: Iterable[Executed], modules: frozenset[str]) -> Reached:
        """Return functions and all that they may call, directly or not.

        Args:
            executed: The code that ran.
            modules: The project's files that were imported or run.
        """
        if modules not in self._indexes:
            files = {name: part for name in modules if (part := self._parts(name)) is not None}
            self._indexes[modules] = _Index(files, self._links)
        search = _Search(self._indexes[modules])
        for one in executed:
            if (function := self._function(one)) is not None:
                search.reach(function)
        search.finish()
        return Reached(search.functions, search.names)

    def is_unknown(self, one: Executed) -> bool:
        """Return whether code is none of the functions in its file, so that any change of the file may concern it."""
        parts = self._parts(one.file)
        return parts is None or one.name not in parts.functions

    def imports(self, one: Executed) -> frozenset[str]:
        """Return the parts of the names of modules that a function may import."""
        parts = self._parts(one.file)
        return parts.imports.get(one.name, frozenset()) if parts is not None else frozenset()

    def _function(self, one: Executed) -> Executed | None:
        if one.name == MODULE:
            return None
        parts = self._parts(one.file)
        name = parts.function_of(one.name) if parts is not None else None
        return one if name is None else Executed(one.file, name) if name else None


class _Class(NamedTuple):
    file: str
    name: str


class _Search:
    """One walk through the names; it ends because each name of a file is followed once."""

    def __init__(self, index: _Index) -> None:
        self.functions: set[Executed] = set()
        self.names: set[str] = set()
        self._index = index
        self._classes: set[_Class] = set()
        self._attributes: set[str] = set()
        self._mentioned: set[tuple[str, str]] = set()
        self._todo: list[tuple[str, str]] = []
        self._places: set[str] = set()

    def reach(self, one: Executed) -> None:
        if one in self.functions:
            return
        self.functions.add(one)
        parts = self._index.files.get(one.file)
        if parts is None:
            return
        self._todo += [(one.file, name) for name in parts.names.get(one.name, ())]
        new = self._index.visible_from(one.file) - self._places
        self._places |= new
        self._todo += [handed for place in new for handed in self._index.handed_to(place)]
        owner = parts.class_of(one.name)
        if owner is not None:
            self._use(_Class(one.file, owner))

    def finish(self) -> None:
        while self._todo:
            mentioned = self._todo.pop()
            if mentioned not in self._mentioned:
                self._mentioned.add(mentioned)
                self._follow(*mentioned)

    def _follow(self, file: str, mentioned: str) -> None:
        self.names.add(mentioned)
        name = mentioned.removeprefix(".")
        for place in self._index.scope(file, name):
            parts = self._index.files[place]
            for function in self._index.functions(place, name):
                self.reach(Executed(place, function))
            for found in self._index.classes(place, name):
                self._use(_Class(place, found))
            self._todo += [(place, more) for more in parts.stands_for.get(name, ())]
        if mentioned != name and name not in self._attributes:
            self._attributes.add(name)
            for one in list(self._classes):
                self._reach_methods(one, [name])

    def _use(self, one: _Class) -> None:
        if one in self._classes:
            return
        self._classes.add(one)
        last = one.name.rpartition(".")[2]
        parts = self._index.files[one.file]
        self._todo += [(one.file, name) for name in (*parts.classes[one.name], *parts.stands_for.get(last, ()))]
        self._reach_methods(one, self._attributes)
        for derived in self._index.derived(last):  # a base may keep a list of them
            self._use(derived)

    def _reach_methods(self, one: _Class, attributes: Collection[str]) -> None:
        for method in self._index.methods(one):
            last = method.rpartition(".")[2]
            if is_special(last) or any(_matches(last, name) for name in attributes):
                self.reach(Executed(one.file, method))


class _Index:
    """What files define, by name.

    Args:
        files: The parts of each file.
        links: For each file, the files that its names refer to.
    """

    def __init__(self, files: Mapping[str, ModuleParts], links: Links) -> None:
        self.files = files
        self._links = links
        self._functions: dict[str, dict[str, list[str]]] = {}
        self._methods: dict[_Class, list[str]] = {}
        self._classes: dict[tuple[str, str], list[str]] = {}
        self._derived: dict[str, list[_Class]] = {}
        self._scopes: dict[str, frozenset[str]] = {}
        self._handed: dict[str, list[tuple[str, str]]] = {}
        by_module: dict[str, set[str]] = {}
        for file, parts in files.items():
            by_module.setdefault(module_name(file), set()).add(file)
            own = self._functions.setdefault(file, {})
            for name in parts.functions:
                own.setdefault(name.rpartition(".")[2], []).append(name)
                owner = parts.class_of(name)
                if owner is not None:
                    self._methods.setdefault(_Class(file, owner), []).append(name)
            for name, bases in parts.classes.items():
                self._classes.setdefault((file, name.rpartition(".")[2]), []).append(name)
                for base in bases:
                    self._derived.setdefault(base, []).append(_Class(file, name))
        for file, parts in files.items():
            imported = {part for parts_of_names in parts.imports.values() for part in parts_of_names}
            linked = {place for places in links.get(file, {}).values() for place in places}
            linked |= {place for part in imported for place in by_module.get(part, ())}
            self._scopes[file] = frozenset(linked & files.keys() | {file})
            for name, receivers in parts.handed.items():
                places = {place for one in receivers for place in links.get(file, {}).get(one, ())}
                for place in places | {file}:
                    self._handed.setdefault(place, []).append((file, name))

    def visible_from(self, file: str) -> frozenset[str]:
        """Return a file and those that its names refer to."""
        return self._scopes.get(file, frozenset())

    def handed_to(self, file: str) -> list[tuple[str, str]]:
        """Return functions and classes that may be in a registry of a file, or of their own: file and name."""
        return self._handed.get(file, [])

    def scope(self, file: str, name: str) -> Iterator[str]:
        """Yield the files that may define a name which a file mentions."""
        scope = self.visible_from(file)
        passed_on = {place for one in scope for place in self._links.get(one, {}).get(name, ())}
        yield from scope | passed_on & self.files.keys()

    def functions(self, file: str, name: str) -> list[str]:
        """Return the functions and methods of a file with a name, which may begin or end with a star."""
        own = self._functions[file]
        if "*" not in name:
            return own.get(name, [])
        return [one for last, found in own.items() if _matches(last, name) for one in found]

    def classes(self, file: str, name: str) -> list[str]:
        """Return the classes of a file with a name."""
        return self._classes.get((file, name), [])

    def methods(self, one: _Class) -> list[str]:
        """Return the methods of a class."""
        return self._methods.get(one, [])

    def derived(self, name: str) -> list[_Class]:
        """Return the classes that name a class as their base."""
        return self._derived.get(name, [])


def module_name(file: str) -> str:
    """Return the last part of the name under which a Python file is imported."""
    folder, _, last = file.rpartition("/")
    return folder.rpartition("/")[2] if last == "__init__.py" else last.removesuffix(".py")


def _matches(name: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name.endswith(pattern[1:]) if pattern.startswith("*") else name == pattern
