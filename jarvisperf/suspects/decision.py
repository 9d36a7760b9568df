"""Decides which functions are suspects: those that a benchmark executes and whose code differs between the arms.

What a function reads counts as its code: names of its module, imported names and attributes of classes. An equal
function that only head executes is not a suspect: it counts with the suspect that calls it or that it calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from jarvisperf.suspects.changes import FileChange, FunctionChange, changed_values, file_change
from jarvisperf.suspects.model import CodeRange, Difference, ExecutedFunction, Execution, Explanation, Suspect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jarvisperf.suspects.definitions import FunctionDefinition

Source = Callable[[str], str | None]

LEAST_TIMES = 1.2  # from which factor on a function is called more often, and below its inverse less often
MOST_NOTED_CALLS = 3
COMPILED = (".so", ".pyd")


class ArmCode(NamedTuple):
    """One side of the comparison.

    Attributes:
        execution: What it executes.
        source: Returns the text of one of its files, given the place; None if it has no such file.
    """

    execution: Execution
    source: Source


class DecidedSuspects(NamedTuple):
    """The suspects, and where their code is.

    Attributes:
        explanation: The suspects, without shares.
        base: The lines of their code in base.
        head: The same in head.
    """

    explanation: Explanation
    base: tuple[CodeRange, ...]
    head: tuple[CodeRange, ...]


def suspects_of(base: ArmCode, head: ArmCode) -> DecidedSuspects:
    """Find the functions that may explain a change; those that only prepare the target's data come last."""
    decision = _Decision(base, head)
    suspects = decision.suspects()
    if not suspects:
        return DecidedSuspects(Explanation(decision.compiled(), decision.is_complete, decision.other_calls()), (), ())
    keys = decision.labels(suspects)
    explanation = Explanation(tuple(suspects.values()), decision.is_complete)
    return DecidedSuspects(explanation, decision.ranges(keys, in_head=False), decision.ranges(keys, in_head=True))


class _Decision:
    def __init__(self, base: ArmCode, head: ArmCode) -> None:
        self._arms = (base, head)
        self._base, self._head = ({one.key: one for one in arm.execution.functions} for arm in (base, head))
        self._executed = self._base | self._head
        self.is_complete = base.execution.is_complete and head.execution.is_complete
        self._files: dict[str, FileChange] = {}  # those that differ
        self._equal_files: dict[str, FileChange | None] = {}
        self._unreadable: dict[str, str] = {}
        self._compiled: list[str] = []
        places = {one.place for one in self._executed.values()}
        places.update(place for arm in (base, head) for place in arm.execution.modules)
        for place in sorted(places):
            self._compare(place)
        self._moved = self._definitions("removed") & self._definitions("new")
        self._values: Mapping[str, Mapping[str, str]] = {
            place: changed_values(file, [name for name in file.functions if f"{place}::{name}" not in self._executed])
            for place, file in self._files.items()
        }

    def _compare(self, place: str) -> None:
        """Compare both versions of a file."""
        base, head = (arm.source(place) for arm in self._arms)
        if base == head:
            return
        if place.endswith(COMPILED):
            self._compiled.append(place)
            return
        try:
            self._files[place] = file_change(base, head)
        except (SyntaxError, ValueError, RecursionError) as error:
            self._unreadable[place] = f"its file differs and cannot be read: {error}"

    def suspects(self) -> dict[str, Suspect]:
        """Return the suspects by key; those that only prepare the data come last."""
        found = {key: one for key in self._executed if (one := self._suspect(key)) is not None}
        groups: dict[str, int] = {}
        for key, suspect in found.items():
            number = groups.setdefault(self._top(key, found), len(groups))
            found[key] = msgspec.structs.replace(suspect, group=number)
        return dict(sorted(found.items(), key=lambda pair: pair[1].prepares))

    def compiled(self) -> tuple[Suspect, ...]:
        """Return the compiled modules that differ, of which nothing else is known."""
        return tuple(
            Suspect(place.rpartition("/")[2], place.partition("/")[2], 0, "compiled") for place in self._compiled
        )

    def other_calls(self) -> tuple[str, ...]:
        """Say which functions are called more or less often than in base, starting with the largest difference."""
        counts = {one.name: self._calls(key) for key, one in self._executed.items()}
        differing = sorted(counts, key=lambda name: -abs(counts[name][1] - counts[name][0]))
        texts = ((name, _times(*counts[name])) for name in differing)
        return tuple(f"{name} is called {text}" for name, text in texts if text)[:MOST_NOTED_CALLS]

    def labels(self, suspects: Mapping[str, Suspect]) -> dict[str, str]:
        """Return the label under which the time of a function counts, by its key.

        A function that only head executes, although its code is old, like a decorator's wrapper, counts for the suspect
        that it calls.
        """
        found = {key: suspect.label for key, suspect in suspects.items()}
        for key, suspect in suspects.items():
            caller = self._executed[key].caller
            if caller in self._head and caller not in self._base and caller not in found:
                found[caller] = suspect.label
        return found

    def ranges(self, labels: Mapping[str, str], *, in_head: bool) -> tuple[CodeRange, ...]:
        """Return the lines of labelled functions in one arm."""
        found = []
        for key, label in labels.items():
            function = (self._head if in_head else self._base).get(key)
            file = self._read(function.place) if function is not None else None
            if function is None or file is None:
                continue
            definition = (file.head if in_head else file.base).functions.get(function.name)
            if definition is not None:
                found.append(CodeRange(label, function.place, definition.first_line, definition.last_line))
        return tuple(found)

    def _calls(self, key: str) -> tuple[float, float]:
        base, head = self._base.get(key), self._head.get(key)
        return (base.calls if base else 0.0, head.calls if head else 0.0)

    def _suspect(self, key: str) -> Suspect | None:
        function = self._executed[key]
        change = self._change(function)
        if change is None:
            return None
        base_calls, head_calls = self._calls(key)
        return Suspect(
            function=function.name,
            file=function.file,
            line=function.line,
            difference=change.difference,
            details=(*change.details, *self._differing_calls(key)),
            lines=change.lines,
            base_calls=base_calls,
            head_calls=head_calls,
            prepares=not (base_calls or head_calls),
        )

    def _change(self, function: ExecutedFunction) -> FunctionChange | None:
        """Return how a function differs, or what it reads; None if nothing does."""
        if function.place in self._unreadable:
            return FunctionChange("changed", (self._unreadable[function.place],), ())
        file = self._files.get(function.place)
        change = file.functions.get(function.name) if file is not None else None
        if file is not None and change is not None and not self._is_moved(function.name, change, file):
            return change
        details = tuple(dict.fromkeys(self._changed_reads(function)))
        return FunctionChange("reads", details, ()) if details else None

    def _definitions(self, difference: Difference) -> set[tuple[str, str]]:
        """Return the names and bodies of the functions that all files together lost or gained."""
        return {
            (name, definition.body)
            for file in self._files.values()
            for name, change in file.functions.items()
            if change.difference == difference
            and (definition := file.head.functions.get(name) or file.base.functions.get(name)) is not None
        }

    def _is_moved(self, name: str, change: FunctionChange, file: FileChange) -> bool:
        """Return whether a function that looks new or removed is an equal one in another file."""
        definition = file.head.functions.get(name) or file.base.functions.get(name)
        return change.difference != "changed" and definition is not None and (name, definition.body) in self._moved

    def _changed_reads(self, function: ExecutedFunction) -> Iterator[str]:
        """Say which names and attributes that a function reads have another value."""
        definition = self._definition(function)
        if definition is None or not any(self._values.values()):
            return
        imported = self._imported(function.place)
        moved = {name for name, _ in self._moved}
        foreign = {imported[name] for name in definition.reads & imported.keys()}
        foreign |= {name.partition(".")[2] for name in definition.attributes if name.partition(".")[0] in imported}
        for place, values in self._values.items():
            for name, text in values.items():
                owner, dot, attribute = name.rpartition(".")
                if dot:
                    is_read = attribute in definition.attributes and function.name != name
                else:
                    here = place == function.place
                    is_read = name in foreign or (
                        here and (name in definition.reads or function.name.startswith(f"{name}."))
                    )
                if is_read and name not in moved:
                    yield f"reads {owner}{dot}{text}"

    def _definition(self, function: ExecutedFunction) -> FunctionDefinition | None:
        """Return head's definition of a function, or base's; None if it is made at run time."""
        file = self._read(function.place)
        return (file.head.functions.get(function.name) or file.base.functions.get(function.name)) if file else None

    def _imported(self, place: str) -> Mapping[str, str]:
        file = self._read(place)
        return file.head.imported if file else {}

    def _read(self, place: str) -> FileChange | None:
        """Return what is in a file, whether it differs or not; None if it cannot be read."""
        if place in self._files:
            return self._files[place]
        if place not in self._equal_files:
            source = self._arms[1].source(place)
            try:
                self._equal_files[place] = file_change(source, source)
            except (SyntaxError, ValueError, RecursionError):
                self._equal_files[place] = None
        return self._equal_files[place]

    def _differing_calls(self, key: str) -> Iterator[str]:
        """Say whether a suspect is called more or less often than in base, and the functions that it calls."""
        text = _times(*self._calls(key))
        if text:
            yield f"called {text}"
        for other, function in self._executed.items():
            if function.caller == key and (text := _times(*self._calls(other))):
                yield f"calls {function.name} {text}"

    def _top(self, key: str, suspects: Mapping[str, Suspect]) -> str:
        """Return the suspect at the top of a chain of new or removed functions."""
        seen = {key}
        while suspects[key].difference in {"new", "removed"}:
            caller = self._executed[key].caller
            if caller in seen or caller not in suspects:
                break
            seen.add(caller)
            key = caller
        return key


def _times(base: float, head: float) -> str:
    """Say how much more often head calls a function; empty if about as often, or if only one arm calls it."""
    if not base or not head or 1 / LEAST_TIMES < head / base < LEAST_TIMES:
        return ""
    return f"{head / base:.3g}x as often"
