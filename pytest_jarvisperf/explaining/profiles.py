"""After lockstep, profiles benchmarks in both arms, in fresh processes that take turns."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.profiles.model import joined
from jarvisperf.profiles.pairing import matched
from pytest_jarvisperf.explaining.processes import ProfileAnswer, answer_of, start

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jarvisperf.gate.processes.workers import ArmPlace
    from jarvisperf.profiles.model import Profile
    from jarvisperf.suspects.model import CodeRange, TimedSlices
    from pytest_jarvisperf.explaining.processes import RunningArm

    Suspects = Mapping[str, tuple[CodeRange, ...]]

LAUNCHES = 3  # fresh pairs of processes: memory layout alone can differ as much as a small slowdown
SECONDS_PER_BENCHMARK = 30.0


class ArmProfiles(NamedTuple):
    """A benchmark's profiles.

    Attributes:
        base: The profile of base; None if it could not be taken.
        head: The profile of head, likewise.
        launches: The times of suspects in base and head, of each pair of processes.
        problem: What is missing, and why; None if nothing is.
    """

    base: Profile | None
    head: Profile | None
    launches: tuple[tuple[TimedSlices, TimedSlices], ...] = ()
    problem: str | None = None


def profile_arms(
    places: Sequence[ArmPlace],
    words: Sequence[str],
    ids: Sequence[str],
    folder: Path,
    suspects: Sequence[Suspects] = ({}, {}),
) -> tuple[dict[str, ArmProfiles], list[str]]:
    """Profile benchmarks in base and head.

    Args:
        places: Base and head.
        words: pytest's arguments in an arm.
        ids: The benchmarks, one or more.
        folder: The folder for files of the arms' processes.
        suspects: For base and head, the suspects to time, by benchmark.

    Returns:
        The profiles by id; and messages for the user, one line each.
    """
    problems: list[str] = []
    # All at the same time: within a pair one arm waits for the other, and the influence of other pairs cancels out.
    pairs = [_start_pair(places, words, ids, folder / f"profiles-{number}", suspects) for number in range(LAUNCHES)]
    answers = []
    for pair in pairs:
        new: list[str] = []
        base, head = (answer_of(one, ProfileAnswer, SECONDS_PER_BENCHMARK * len(ids), "profiling", new) for one in pair)
        answers.append((base, head))
        problems += [problem for problem in new if problem not in problems]
    return {name: _joined(name, answers) for name in ids}, problems


def _start_pair(
    places: Sequence[ArmPlace], words: Sequence[str], ids: Sequence[str], folder: Path, suspects: Sequence[Suspects]
) -> list[RunningArm]:
    """Start profiling in a fresh pair of processes, which take turns."""
    folder.mkdir()
    ends = socket.socketpair()
    with ends[0], ends[1]:
        arms = zip(places, ends, suspects, strict=True)
        return [start(place, words, ids, folder, end, dict(own)) for place, end, own in arms]


def _joined(name: str, answers: Sequence[tuple[ProfileAnswer, ProfileAnswer]]) -> ArmProfiles:
    """Combine the profiles of a benchmark from all launches; base may not have it."""
    pairs = tuple(
        (base.profiles[name], head.profiles[name])
        for base, head in answers
        if name in base.profiles and name in head.profiles
    )
    timed = tuple(
        (base.timed[name], head.timed[name]) for base, head in answers if name in base.timed and name in head.timed
    )
    if pairs:
        return ArmProfiles(*matched(pairs), timed)
    alone = [head.profiles[name].profile for _, head in answers if name in head.profiles]
    profile = joined(alone) if alone else None
    return ArmProfiles(None, profile, timed, _what_is_lacking(name, answers, has_head=profile is not None))


def _what_is_lacking(
    name: str, answers: Sequence[tuple[ProfileAnswer, ProfileAnswer]], *, has_head: bool
) -> str | None:
    """Describe what a benchmark's profile lacks, and why; None if an arm ended early, which it has reported itself."""
    lacking = 0 if has_head else 1
    why = next((arms[lacking].problems[name] for arms in answers if name in arms[lacking].problems), None)
    if why is None:
        return None
    if not has_head:
        return f"{name} was not profiled: {why}"
    return f"{name}: only head was profiled, so the report does not show which function grew: in base {why}"
