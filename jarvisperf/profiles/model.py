"""What a profile is: call stacks with what each of them took, per call of the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Engine = Literal["pyinstrument", "cprofile", "memray", "profile_function"]

MOST_STACKS = 300
LONGEST_STACK = 120


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """A place in the code.

    Attributes:
        function: The function's name.
        file: Its file as people know it: relative to the project, or to the folder of packages.
        line: The line that ran; 0 where the engine does not tell.
        own: Whether the file is of the project, and not of Python or an installed package.
    """

    function: str
    file: str
    line: int
    own: bool


class Profile(msgspec.Struct, frozen=True):
    """Where a target's time or memory went.

    Attributes:
        engine: What took it: ``pyinstrument`` (samples), ``cprofile`` (every call), ``memray`` (memory at its peak),
            ``profile_function`` (calls of decorated functions).
        unit: ``s`` (seconds per call of the target) or ``B`` (bytes).
        iterations: Calls of the target.
        samples: How many samples were taken, or calls or allocations seen.
        top: How many functions the report shows.
        frames: Every place that occurs.
        stacks: Pairs of a stack, as places in `frames` from the outermost to the innermost, and what that stack took
            by itself. At most 300, the heaviest.
    """

    engine: Engine
    unit: Literal["s", "B"]
    iterations: int
    samples: int
    frames: tuple[Frame, ...]
    stacks: tuple[tuple[tuple[int, ...], float], ...]
    top: int = 20

    @property
    def explains(self) -> str:
        """The name of the metric that it explains: ``memory`` or ``time``."""
        return "memory" if self.unit == "B" else "time"

    @property
    def total(self) -> float:
        """What all stacks took together, in `unit` per call of the target."""
        return sum(weight for _, weight in self.stacks)

    def walk(self) -> Iterator[tuple[tuple[Frame, ...], float]]:
        """Give each stack's frames, from the outermost to the innermost, and what it took by itself."""
        for places, weight in self.stacks:
            yield tuple(self.frames[place] for place in places), weight


def profile_of(
    engine: Engine,
    unit: Literal["s", "B"],
    weights: Mapping[tuple[Frame, ...], float] | Iterable[tuple[tuple[Frame, ...], float]],
    *,
    iterations: int,
    samples: int,
) -> Profile:
    """Make a profile of stacks and what each took; only the heaviest stay, and the outer part of very deep ones.

    Args:
        engine: What took it.
        unit: The weights' unit, per call of the target.
        weights: Stacks from the outermost frame to the innermost, and what each took by itself.
        iterations: Calls of the target.
        samples: How many samples were taken.
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
    """Join profiles of the same target by one engine: each stack takes the mean of what it took in them."""
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
    """Give a profile whose stacks together take a given total.

    Two profiles are taken one after the other, so the machine may have been slower during one; lockstep knows better
    how the totals stand, a profile only how they are shared out.
    """
    factor = total / profile.total if profile.total else 1.0
    return msgspec.structs.replace(
        profile, stacks=tuple((places, weight * factor) for places, weight in profile.stacks)
    )
