"""The data of suspects: which functions an arm executes for a benchmark, and what is known about those that changed."""

from __future__ import annotations

from typing import Literal

import msgspec


class ExecutedFunction(msgspec.Struct, frozen=True, array_like=True):
    """A function of the arm's own code that ran.

    Attributes:
        place: Its file: the number of the arm's folder, a slash, and the path in that folder.
        file: The file as reports show it.
        name: Its qualified name; comprehensions and lambdas count as part of the function around them.
        line: The first line of its code.
        calls: Calls per call of the target; 0 if it only ran before the target, to prepare its data.
        caller: The nearest own function that called it first, as ``place::name``; empty if there was none.
    """

    place: str
    file: str
    name: str
    line: int
    calls: float
    caller: str = ""

    @property
    def key(self) -> str:
        """A name that is the same in both arms."""
        return f"{self.place}::{self.name}"


class Execution(msgspec.Struct, frozen=True):
    """What one arm executes for one benchmark.

    Attributes:
        functions: The functions of the arm's own code.
        modules: The places of the arm's own modules that were loaded.
        is_complete: Whether all of its code was seen: no other process or older thread ran, and not too much.
    """

    functions: tuple[ExecutedFunction, ...]
    modules: tuple[str, ...] = ()
    is_complete: bool = True


class CodeRange(msgspec.Struct, frozen=True, array_like=True):
    """The lines of a function whose time is wanted.

    Attributes:
        label: The name under which its time counts.
        place: Its file's place.
        first_line: Its first line.
        last_line: Its last line.
    """

    label: str
    place: str
    first_line: int
    last_line: int


class TimedSlices(msgspec.Struct, frozen=True):
    """The time of suspects in one arm, slice by slice.

    Attributes:
        slices: For each slice, the wall and processor seconds per call of the target, by label: of each suspect
            including all that it calls, except other suspects, and of the rest under an empty label.
        waits: Whether the target waits voluntarily, so that wall time counts instead of processor time.
    """

    slices: tuple[dict[str, tuple[float, float]], ...]
    waits: bool = False


Difference = Literal["changed", "new", "removed", "reads", "compiled"]


class Suspect(msgspec.Struct, frozen=True):
    """A function that the benchmark executes and whose code, or what that code reads, differs between the arms.

    Attributes:
        function: Its qualified name; the module's name if `difference` is ``compiled``.
        file: Its file.
        line: Its first line in head, or in base if head has removed it; 0: unknown.
        difference: ``changed`` code, ``new`` in head, ``removed`` in head, ``reads`` (its own code is equal, but a name
            that it reads is not), or ``compiled`` (a compiled module that differs).
        details: What differs, in a few words each.
        lines: The first lines of the difference, with ``+`` and ``-``.
        base_calls: Calls per call of the target in base.
        head_calls: The same in head.
        group: New and removed functions have the same number as the changed function that calls them, because moved
            code is less there and more here; the share is that of the whole group.
        prepares: Whether it ran only before the target's calls.
        share: Its share of the change, from 0 to 1; null if it could not be determined.
        interval: The 95 % interval of the share.
    """

    function: str
    file: str
    line: int
    difference: Difference
    details: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    base_calls: float = 0.0
    head_calls: float = 0.0
    group: int = 0
    prepares: bool = False
    share: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def label(self) -> str:
        """Its name among the other suspects."""
        return f"{self.file}::{self.function}"


class Explanation(msgspec.Struct, frozen=True):
    """What may explain a benchmark's change.

    Attributes:
        suspects: The suspects, most likely first; empty if no code that runs has changed.
        is_complete: Whether all code was seen that both arms execute for the benchmark.
        calls: The functions that head calls more or less often than base, if there are no suspects.
    """

    suspects: tuple[Suspect, ...] = ()
    is_complete: bool = True
    calls: tuple[str, ...] = ()
