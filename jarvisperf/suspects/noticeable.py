"""How much each function must slow down for the suite to notice: a benchmark's noticeable change by its share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.suspects.definitions import definitions_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jarvisperf.profiles.model import Frame, Profile

LEAST_SHARE = 1e-4  # of a benchmark's time; less is not visible in a profile


class FunctionPlace(NamedTuple):
    """A function of the project.

    Attributes:
        function: Its qualified name.
        file: Its file, relative to the repository.
        first_line: Its first line.
        last_line: Its last line.
    """

    function: str
    file: str
    first_line: int
    last_line: int

    def contains(self, frame: Frame) -> bool:
        """Return whether a frame of a profile is in it; profiles may name files relative to a folder below."""
        is_same_file = self.file == frame.file or self.file.endswith(f"/{frame.file}")
        return is_same_file and self.first_line <= frame.line <= self.last_line


class NoticeableSlowdown(NamedTuple):
    """What the suite would notice of a function.

    Attributes:
        place: The function.
        benchmark: The benchmark that would notice it first.
        share: The function's share of that benchmark's time, including what it calls.
        slowdown: The slowdown of the function that makes the benchmark's smallest noticeable change, as a share.
    """

    place: FunctionPlace
    benchmark: str
    share: float
    slowdown: float


def functions_in(file: str, source: str) -> list[FunctionPlace]:
    """Return the functions of a file; none if it is not Python.

    Args:
        file: The file, relative to the repository.
        source: Its text.
    """
    try:
        functions = definitions_in(source).functions
    except (SyntaxError, ValueError, RecursionError):
        return []
    return [FunctionPlace(name, file, one.first_line, one.last_line) for name, one in functions.items()]


def noticeable_slowdowns(
    functions: Sequence[FunctionPlace], profiles: Mapping[str, Profile], smallest: Mapping[str, float]
) -> list[NoticeableSlowdown]:
    """Find the slowdown of each function that the suite would notice, those that it would notice last first.

    Args:
        functions: The functions of the project.
        profiles: A profile of the time of each benchmark, by id.
        smallest: The smallest change that each benchmark would notice, as a share.

    Returns:
        The functions that take a visible share of any benchmark.
    """
    found: dict[FunctionPlace, NoticeableSlowdown] = {}
    for benchmark, profile in profiles.items():
        for place, share in _shares(functions, profile).items():
            slowdown = smallest[benchmark] / share
            known = found.get(place)
            if share >= LEAST_SHARE and (known is None or slowdown < known.slowdown):
                found[place] = NoticeableSlowdown(place, benchmark, share, slowdown)
    return sorted(found.values(), key=lambda one: -one.slowdown)


def _shares(functions: Sequence[FunctionPlace], profile: Profile) -> dict[FunctionPlace, float]:
    """Return each function's share of a profile, including what it calls; a recursive one counts once."""
    names: dict[str, list[FunctionPlace]] = {}
    for one in functions:
        names.setdefault(one.file.rpartition("/")[2], []).append(one)
    around: dict[Frame, FunctionPlace | None] = {}
    found: dict[FunctionPlace, float] = {}
    total = profile.total
    for stack, weight in profile.walk():
        for frame in stack:
            if frame not in around:
                around[frame] = _innermost(frame, names.get(frame.file.rpartition("/")[2], ()))
        for place in {around[frame] for frame in stack} - {None}:
            if place is not None and total:
                found[place] = found.get(place, 0.0) + weight / total
    return found


def _innermost(frame: Frame, functions: Iterable[FunctionPlace]) -> FunctionPlace | None:
    inside = [one for one in functions if one.contains(frame)]
    return min(inside, key=lambda one: one.last_line - one.first_line, default=None)
