"""The data of a profile: call stacks and the cost of each, per call of the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from jarvisperf.runs.summary import Count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

Engine = Literal["pyinstrument", "cprofile", "memray", "profile_function"]

MOST_STACKS = 300
LONGEST_STACK = 120


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """A place in the code.

    Attributes:
        function: The function's name.
        file: Its file, relative to the project or to the folder of installed packages.
        line: The line that ran; 0: the engine does not record it.
        own: Whether the file belongs to the project, not to Python or an installed package.
    """

    function: str
    file: str
    line: int
    own: bool


class Profile(msgspec.Struct, frozen=True):
    """The breakdown of a target's time or memory.

    Attributes:
        engine: The profiler: ``pyinstrument`` (samples), ``cprofile`` (every call), ``memray`` (memory at its peak),
            ``profile_function`` (calls of decorated functions).
        unit: ``s`` (seconds per call of the target) or ``B`` (bytes).
        iterations: Calls of the target.
        samples: Number of samples taken, or of calls or allocations seen.
        top: Number of functions in the report.
        frames: All frames that occur.
        stacks: Pairs of a stack (indices into `frames`, from the outermost to the innermost) and its own cost. At most
            300, the most expensive ones.
    """

    engine: Engine
    unit: Literal["s", "B"]
    iterations: Count
    samples: Count
    frames: tuple[Frame, ...]
    stacks: tuple[tuple[tuple[int, ...], float], ...]
    top: int = 20

    @property
    def explains(self) -> str:
        """The metric that the profile explains: ``memory`` or ``time``."""
        return "memory" if self.unit == "B" else "time"

    @property
    def total(self) -> float:
        """The total cost of all stacks, in `unit` per call of the target."""
        return sum(weight for _, weight in self.stacks)

    def walk(self) -> Iterator[tuple[tuple[Frame, ...], float]]:
        """Yield the frames of each stack, from the outermost to the innermost, and its own cost."""
        for places, weight in self.stacks:
            yield tuple(self.frames[place] for place in places), weight


class Slices(NamedTuple):
    """The schedule of a profile's calls.

    Attributes:
        number: Number of slices.
        iterations: Calls of the target per slice.
        turn: Returns the context in which a slice is taken, so that two processes can take turns.
    """

    number: int
    iterations: int
    turn: Callable[[], AbstractContextManager[None]]


def profile_of(
    engine: Engine,
    unit: Literal["s", "B"],
    weights: Mapping[tuple[Frame, ...], float] | Iterable[tuple[tuple[Frame, ...], float]],
    *,
    iterations: int,
    samples: int,
) -> Profile:
    """Create a profile; it keeps only the most expensive stacks, and only the outer part of very deep ones.

    Args:
        engine: The profiler.
        unit: The unit of the weights, per call of the target.
        weights: Stacks from the outermost frame to the innermost, and the own cost of each.
        iterations: Calls of the target.
        samples: Number of samples taken.
    """
    merged: dict[tuple[Frame, ...], float] = {}
    for stack, weight in dict(weights).items():
        kept = stack[:LONGEST_STACK]
        merged[kept] = merged.get(kept, 0.0) + weight
    heaviest = sorted(merged.items(), key=lambda pair: -pair[1])[:MOST_STACKS]
    places: dict[Frame, int] = {}
    stacks = tuple(
        (tuple(places.setdefault(frame, len(places)) for frame in stack), float(f"{weight:.5g}"))
        for stack, weight in heaviest
        if stack and weight > 0
    )
    return Profile(engine, unit, iterations, samples, tuple(places), stacks)


def joined(profiles: Sequence[Profile]) -> Profile:
    """Merge profiles of one target by one engine: the cost of a stack is its mean over the profiles."""
    weights: dict[tuple[Frame, ...], float] = {}
    for profile in profiles:
        for stack, weight in profile.walk():
            weights[stack] = weights.get(stack, 0.0) + weight / len(profiles)
    first = profiles[0]
    whole = profile_of(
        first.engine,
        first.unit,
        weights,
        iterations=sum(profile.iterations for profile in profiles),
        samples=sum(profile.samples for profile in profiles),
    )
    return msgspec.structs.replace(whole, top=first.top)


def scaled(profile: Profile, total: float) -> Profile:
    """Scale a profile to a given total.

    Two profiles are taken one after the other, and the machine may have been slower during one of them. Lockstep knows
    the totals better; a profile only knows how they are distributed.
    """
    factor = total / profile.total if profile.total else 1.0
    return msgspec.structs.replace(
        profile, stacks=tuple((places, weight * factor) for places, weight in profile.stacks)
    )
