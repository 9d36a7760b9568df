"""Blind spots of a change: the functions that it changes and that no benchmark executes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from jarvisperf.suspects.changes import file_change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jarvisperf.suspects.model import Execution

INSTALLED = "site-packages/"


class ChangedFunction(msgspec.Struct, frozen=True):
    """A function of head that base lacks or has in another version.

    Attributes:
        function: Its qualified name.
        file: Its file, relative to the repository.
        line: Its first line.
        difference: ``changed`` or ``new``.
    """

    function: str
    file: str
    line: int
    difference: Literal["changed", "new"]


class BlindSpots(msgspec.Struct, frozen=True):
    """What the suite's benchmarks do not see of a change.

    Attributes:
        changed: The number of functions that changed or are new.
        unexecuted: Those that no benchmark executes in the calls that it measures.
        is_complete: Whether everything was seen that the benchmarks execute: not if they start processes.
    """

    changed: int
    unexecuted: tuple[ChangedFunction, ...]
    is_complete: bool


def changed_functions(files: Iterable[str], source: Callable[[str, str], str | None]) -> list[ChangedFunction]:
    """Find the functions that differ between two versions of the project.

    Args:
        files: The files that differ, relative to the repository.
        source: Returns the text of a file, given ``base`` or ``head`` and its name; None if it does not exist.
    """
    found = []
    for file in files:
        try:
            change = file_change(source("base", file), source("head", file))
        except (SyntaxError, ValueError, RecursionError):
            continue  # nothing in it can run
        for name, one in change.functions.items():
            if one.difference in {"changed", "new"}:
                line = change.head.functions[name].first_line
                found.append(ChangedFunction(name, file, line, "new" if one.difference == "new" else "changed"))
    return found


def blind_spots(changed: Iterable[ChangedFunction], executions: Iterable[Execution | None]) -> BlindSpots:
    """Find the changed functions that no benchmark executes.

    Args:
        changed: The changed functions.
        executions: What head executes for each benchmark; None: unknown.
    """
    every = list(executions)
    executed: dict[str, set[str]] = {}
    for execution in every:
        for function in execution.functions if execution is not None else ():
            if function.calls:
                executed.setdefault(function.name, set()).add(_module_path(function.place))
    functions = list(changed)
    unexecuted = [one for one in functions if not _is_in(one.file, executed.get(one.function, ()))]
    is_complete = all(execution is not None and execution.is_complete for execution in every)
    return BlindSpots(len(functions), tuple(unexecuted), is_complete)


def merged_blind_spots(parts: Iterable[BlindSpots | None]) -> BlindSpots | None:
    """Merge the blind spots of a suite's parts: what no part executes; None if they are not known of every part."""
    known = []
    for part in parts:
        if part is None:
            return None
        known.append(part)
    if not known:
        return None
    unexecuted = tuple(one for one in known[0].unexecuted if all(one in part.unexecuted for part in known))
    return BlindSpots(known[0].changed, unexecuted, all(part.is_complete for part in known))


def _module_path(place: str) -> str:
    """Return a file's path in the checkout, or in the folder that the arm's packages are installed in."""
    path = place.partition("/")[2]
    return path.rpartition(INSTALLED)[2]


def _is_in(file: str, paths: Iterable[str]) -> bool:
    return any(file == path or file.endswith(f"/{path}") for path in paths)
