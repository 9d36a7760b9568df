"""The ways to profile, by name; each takes a target that was measured before, and never while it is measured."""

from __future__ import annotations

import importlib.util
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from jarvisperf.measure.targets import Target
    from jarvisperf.profiles.model import Engine, Profile
    from jarvisperf.profiles.pairing import Sliced

    Take = Callable[["Target", "Slices", Sequence[Path]], Sliced]

ENGINES: tuple[Engine, ...] = ("pyinstrument", "cprofile", "memray", "profile_function")
DEFAULT_ENGINE: Engine = "pyinstrument"
DEFAULT_TOP = 20
PROFILE_SECONDS = 1.0
LONGEST_CALIBRATION_SECONDS = 0.02
SLICES = 60
FEWEST_SLICES = 16
MOST_SLICES = 1_000
LONGEST_FACTOR = 4  # times the time asked for, where calls are so long that there would be too few slices


class Slices(NamedTuple):
    """How a target is called.

    Attributes:
        number: How many slices.
        iterations: Calls of the target in each.
        turn: Gives the block in which a slice is taken, so that two processes can take turns.
    """

    number: int
    iterations: int
    turn: Callable[[], AbstractContextManager[None]]


class ProfileError(RuntimeError):
    """A profile cannot be taken; the message says why, and what to do."""


def take_profile(
    target: Target,
    roots: Sequence[Path],
    *,
    engine: Engine = DEFAULT_ENGINE,
    top: int = DEFAULT_TOP,
    seconds: float = PROFILE_SECONDS,
) -> Profile:
    """Profile a target by itself; see `take_sliced`."""
    return take_sliced(target, roots, engine=engine, top=top, seconds=seconds).profile


def take_sliced(
    target: Target,
    roots: Sequence[Path],
    *,
    engine: Engine = DEFAULT_ENGINE,
    top: int = DEFAULT_TOP,
    seconds: float = PROFILE_SECONDS,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Sliced:
    """Profile a target, slice by slice where the engine can.

    Args:
        target: What to call.
        roots: The project's folders: functions in them are its own.
        engine: ``pyinstrument``, ``cprofile``, ``memray`` or ``profile_function``.
        top: How many functions the report shows.
        seconds: How long to call it; memray takes a single call.
        turn: Gives the block in which a slice is taken, so that two processes can take turns.

    Raises:
        ProfileError: The engine is unknown or not installed, another profiler is running, or nothing was seen.
    """
    if engine not in ENGINES:
        raise ProfileError(f"{engine!r} is no engine, allowed are {', '.join(ENGINES)}")
    if engine in {"pyinstrument", "memray"} and importlib.util.find_spec(engine) is None:
        raise ProfileError(f"the engine {engine} needs a package that is not installed: pip install {engine}")
    import msgspec

    taken = _taker(engine)(target, _slices(target, seconds, turn), roots)
    if not taken.profile.stacks:
        raise ProfileError(f"{engine} saw nothing: the target is too short, or calls nothing that it sees")
    return msgspec.structs.replace(taken, profile=msgspec.structs.replace(taken.profile, top=top))


def _taker(engine: Engine) -> Take:
    if engine == "pyinstrument":
        from jarvisperf.profiles.sampling import take

        return take
    if engine == "cprofile":
        from jarvisperf.profiles.deterministic import take as take_whole
    elif engine == "memray":
        from jarvisperf.profiles.memory import take as take_whole
    else:
        from jarvisperf.profiles.decorated import take as take_whole
    from jarvisperf.profiles.pairing import Sliced

    return lambda target, slices, roots: Sliced(take_whole(target, slices, roots))


def _slices(target: Target, seconds: float, turn: Callable[[], AbstractContextManager[None]]) -> Slices:
    """Find how many calls fill that time; doubling tells it well enough."""
    fixed = target.fixed_iterations
    iterations = fixed or 1
    while (taken := target.sample(iterations)) < LONGEST_CALIBRATION_SECONDS and not fixed and iterations < 1 << 30:
        iterations *= 2
    taken = max(taken, 1e-9)
    whole = seconds / taken  # how many such samples there is time for
    if not fixed and whole >= SLICES:
        return Slices(SLICES, max(round(iterations * whole / SLICES), 1), turn)
    # On a busy machine a call takes many times as long, and too few slices tell nothing.
    fewest = min(FEWEST_SLICES, LONGEST_FACTOR * whole)
    return Slices(max(round(min(max(whole, fewest), MOST_SLICES)), 1), iterations, turn)
