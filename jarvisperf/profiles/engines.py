"""The profiling engines, by name. Targets are profiled after they have been measured, never at the same time."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from jarvisperf.measure.targets import Target
    from jarvisperf.profiles.model import Engine, Slices
    from jarvisperf.profiles.pairing import Sliced

    Take = Callable[["Target", "Slices", Sequence[Path]], Sliced]

ENGINES: tuple[Engine, ...] = ("pyinstrument", "cprofile", "memray", "profile_function")
DEFAULT_ENGINE: Engine = "pyinstrument"
DEFAULT_TOP = 20
PROFILE_SECONDS = 1.0
LONGEST_CALIBRATION_SECONDS = 0.02
LONGEST_INTERRUPTION_SECONDS = 0.2  # a sample that took longer did not do so because others had the processor
SLICES = 60
FEWEST_SLICES = 16
MOST_SLICES = 1_000
LONGEST_FACTOR = 4  # how far long calls may exceed the requested time, so that there are enough slices


class ProfileError(RuntimeError):
    """A profile cannot be taken; the message says why and what to do."""


def take_sliced(
    target: Target,
    roots: Sequence[Path],
    *,
    engine: Engine = DEFAULT_ENGINE,
    top: int = DEFAULT_TOP,
    seconds: float = PROFILE_SECONDS,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Sliced:
    """Profile a target, slice by slice if the engine can.

    Args:
        target: The target to call.
        roots: The project's folders; functions in them are its own.
        engine: ``pyinstrument``, ``cprofile``, ``memray`` or ``profile_function``.
        top: Number of functions in the report.
        seconds: How long to profile; memray profiles a single call.
        turn: Returns the context in which a slice is taken, so that two processes can take turns.

    Raises:
        ProfileError: The engine is unknown or not installed, another profiler is running, or nothing was seen.
    """
    if engine not in ENGINES:
        raise ProfileError(f"unknown engine {engine!r}; choose one of: {', '.join(ENGINES)}")
    from jarvisperf.extras import lacking

    if engine == "memray" and lacking("memory"):
        raise ProfileError(f"the engine {lacking('memory')}")
    import msgspec

    taken = _taker(engine)(target, slices_for(target, seconds, turn), roots)
    if not taken.profile.stacks:
        raise ProfileError(f"{engine} recorded nothing: the target is too short, or calls nothing that it can see")
    return msgspec.structs.replace(taken, profile=msgspec.structs.replace(taken.profile, top=top))


def _taker(engine: Engine) -> Take:
    if engine == "pyinstrument":
        from jarvisperf.profiles.by_pyinstrument import take

        return take
    if engine == "cprofile":
        from jarvisperf.profiles.by_cprofile import take as take_whole
    elif engine == "memray":
        from jarvisperf.profiles.by_memray import take as take_whole
    else:
        from jarvisperf.profiles.by_profile_function import take as take_whole
    from jarvisperf.profiles.pairing import Sliced

    return lambda target, slices, roots: Sliced(take_whole(target, slices, roots))


def slices_for(target: Target, seconds: float, turn: Callable[[], AbstractContextManager[None]]) -> Slices:
    """Find how many calls fill the given time, by doubling, which is precise enough here.

    Args:
        target: The target to call.
        seconds: The time to fill.
        turn: Returns the context in which a slice is taken.
    """
    from jarvisperf.profiles.model import Slices

    fixed = target.fixed_iterations
    iterations = fixed or 1
    while (taken := _sample(target, iterations)) < LONGEST_CALIBRATION_SECONDS and not fixed and iterations < 1 << 30:
        iterations *= 2
    taken = max(taken, 1e-9)
    whole = seconds / taken  # how many such samples fit
    if not fixed and whole >= SLICES:
        return Slices(SLICES, max(round(iterations * whole / SLICES), 1), turn)
    # On a busy machine calls take many times as long, and a profile of too few slices is meaningless.
    fewest = min(FEWEST_SLICES, LONGEST_FACTOR * whole)
    return Slices(max(round(min(max(whole, fewest), MOST_SLICES)), 1), iterations, turn)


def _sample(target: Target, iterations: int) -> float:
    """Return the seconds of a sample; one that may have been interrupted for most of its time is taken again."""
    taken = target.sample(iterations)
    if LONGEST_CALIBRATION_SECONDS <= taken < LONGEST_INTERRUPTION_SECONDS:
        return min(taken, target.sample(iterations))
    return taken
