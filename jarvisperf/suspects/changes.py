"""The difference between two versions of a source file: which functions and values changed, and how."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.suspects.definitions import Definitions, FunctionDefinition, definitions_in

if TYPE_CHECKING:
    from collections.abc import Collection

    from jarvisperf.suspects.model import Difference

MOST_LINES = 6
LONGEST_LINE = 100
NOTHING = Definitions({}, {}, {})


class FunctionChange(NamedTuple):
    """How a function differs.

    Attributes:
        difference: ``changed``, ``new`` or ``removed``.
        details: What differs, in a few words each.
        lines: The first lines of the difference.
    """

    difference: Difference
    details: tuple[str, ...]
    lines: tuple[str, ...]


class FileChange(NamedTuple):
    """The difference between two versions of a file.

    Attributes:
        base: What base's version defines.
        head: What head's version defines.
        functions: The functions that differ, by qualified name.
        values: For each name whose value differs, what differs in a few words.
    """

    base: Definitions
    head: Definitions
    functions: dict[str, FunctionChange]
    values: dict[str, str]


def file_change(base: str | None, head: str | None) -> FileChange:
    """Compare two versions of a file.

    Args:
        base: Base's source; None: it has no such file.
        head: Head's source; None: it has no such file.
    """
    before, after = _definitions(base), _definitions(head)
    base_lines, head_lines = (base or "").splitlines(), (head or "").splitlines()
    functions = {}
    for name in dict.fromkeys([*before.functions, *after.functions]):
        old, new = before.functions.get(name), after.functions.get(name)
        if old is not None and new is not None and old.is_same_as(new):
            continue
        functions[name] = FunctionChange(
            "changed" if old and new else "new" if new else "removed",
            _details(old, new) if old and new else (),
            _diff(_lines(old, base_lines), _lines(new, head_lines)),
        )
    return FileChange(before, after, functions, _changed_values(before, after))


def changed_values(change: FileChange, functions: Collection[str]) -> dict[str, str]:
    """Return the names whose values differ, directly or because they are computed from something that differs.

    Args:
        change: The file's difference.
        functions: Changed functions that only run while the module is imported; what they compute differs.
    """
    found = dict(change.values)
    sources = {*found, *functions}
    while True:
        more = {
            name: f"{name}, which is computed from {min(found_in)}"
            for name, value in change.head.values.items()
            if name not in found and (found_in := value.reads & sources)
        }
        if not more:
            return found
        found |= more
        sources.update(more)


def _definitions(source: str | None) -> Definitions:
    return NOTHING if source is None else definitions_in(source)


def _changed_values(before: Definitions, after: Definitions) -> dict[str, str]:
    found = {}
    for name in dict.fromkeys([*before.values, *after.values]):
        old, new = before.values.get(name), after.values.get(name)
        if old is None or new is None:
            other = after.functions if old is not None else before.functions
            if name in other:  # def parse became parse = faster(parse), or the reverse
                found[name] = f"{name} is defined in another way"
            elif old is None and new is not None and before is not NOTHING:
                found[name] = f"{name} is new: {_shortened(new.shown)}"
        elif old.text != new.text:
            found[name] = f"{_shortened(new.shown)} (base: {_shortened(old.shown)})"
    return found


def _details(old: FunctionDefinition, new: FunctionDefinition) -> tuple[str, ...]:
    parts = (
        ("its decorators", old.decorators != new.decorators),
        ("its parameters or defaults", old.defaults != new.defaults),
    )
    return tuple(text for text, differs in parts if differs)


def _lines(definition: FunctionDefinition | None, source: list[str]) -> list[str]:
    return source[definition.first_line - 1 : definition.last_line] if definition is not None else []


def _diff(before: list[str], after: list[str]) -> tuple[str, ...]:
    lines = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]  # without the names of the files
    changed = [line for line in lines if line[:1] in "+-"]
    return tuple(_shortened(f"{line[0]} {line[1:].strip()}") for line in changed if line[1:].strip())[:MOST_LINES]


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 1]}…"
