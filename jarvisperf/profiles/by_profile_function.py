"""Profiles from `profile_function`: decorated functions only, with their total time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.measure.profiling import collect_calls
from jarvisperf.profiles.model import Frame, profile_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from jarvisperf.measure.profiling import Call
    from jarvisperf.measure.targets import Target
    from jarvisperf.profiles.model import Profile, Slices

MOST_ITERATIONS = 1_000


def take(target: Target, slices: Slices, roots: Sequence[Path]) -> Profile:  # noqa: ARG001  # decorated functions are the project's own
    """Profile a number of calls, at most 1,000, because each call of a decorated function is kept.

    Args:
        target: The target to call.
        slices: How often to call it.
        roots: Not used: decorated functions are the project's own.
    """
    iterations = min(slices.number * slices.iterations, MOST_ITERATIONS)
    calls: list[Call] = []
    target.samples(iterations, 1, collect_calls(calls))  # entered in the task that makes the calls
    return profile_of_calls(calls, iterations)


def profile_of_calls(calls: Iterable[Call], iterations: int = 1) -> Profile:
    """Create a profile from what `collect_calls` collected.

    Args:
        calls: The calls of decorated functions.
        iterations: Calls of the target.
    """
    weights: dict[tuple[Frame, ...], float] = {}
    count = 0
    for call in calls:
        count += 1
        stack = tuple(Frame(name, "profile_function", 0, True) for name in call.names)
        weights[stack] = weights.get(stack, 0.0) + call.seconds / iterations
        if len(stack) > 1:  # the caller's own time excludes it
            weights[stack[:-1]] = weights.get(stack[:-1], 0.0) - call.seconds / iterations
    return profile_of("profile_function", "s", weights, iterations=iterations, samples=count)
