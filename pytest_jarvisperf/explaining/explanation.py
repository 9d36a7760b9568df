"""Explains what lockstep found: the changed functions that a regressed benchmark executes, and that none executes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.gate.arms.checkout import BASE
from jarvisperf.suspects.blind_spots import BlindSpots, ChangedFunction, blind_spots, changed_functions
from jarvisperf.suspects.decision import COMPILED, ArmCode, DecidedSuspects, suspects_of
from jarvisperf.suspects.shares import with_shares
from pytest_jarvisperf.explaining.processes import CallAnswer, answer_of, start
from pytest_jarvisperf.explaining.profiles import ArmProfiles, profile_arms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jarvisperf.gate.lockstep.model import Campaign
    from jarvisperf.gate.processes.workers import ArmPlace
    from jarvisperf.suspects.model import Execution, Explanation

MOST_PROFILED = 10
COUNTING_SECONDS_PER_BENCHMARK = 10.0


class Questions(NamedTuple):
    """What is to be explained.

    Attributes:
        regressed: The benchmarks that regressed, whose reasons are wanted.
        slower: Those among them whose time regressed.
        profiled: The benchmarks to profile; None: those that regressed, up to 10.
        measured: All benchmarks that were measured, to find what none of them executes.
        changed_files: Files of the project's code that differ, relative to the repository.
        is_whole_suite: Whether these are all benchmarks of the suite; otherwise blind spots are unknown.
    """

    regressed: tuple[str, ...]
    slower: frozenset[str]
    profiled: tuple[str, ...] | None
    measured: tuple[str, ...]
    changed_files: tuple[str, ...]
    is_whole_suite: bool


class Answers(NamedTuple):
    """What was found.

    Attributes:
        explanations: The suspects of each benchmark, by id.
        profiles: The profiles, by id.
        blind_spots: The changed functions that no benchmark executes; None if that is unknown, or nothing changed.
        problems: Messages for the user, one line each.
    """

    explanations: dict[str, Explanation]
    profiles: dict[str, ArmProfiles]
    blind_spots: BlindSpots | None
    problems: list[str]


def explain(campaign: Campaign, questions: Questions) -> Answers:
    """Count calls in both arms, decide who is suspect, and profile what regressed.

    Args:
        campaign: The comparison that has ended.
        questions: What is to be explained.

    Raises:
        OSError: A process could not be started, or a file not be read.
    """
    arms = (campaign.base, campaign.head)
    sources = {place.name: _Sources(place) for place in arms}
    changed: list[ChangedFunction] = []
    if questions.is_whole_suite:
        changed = changed_functions(questions.changed_files, lambda arm, file: sources[arm](f"0/{file}"))
    problems: list[str] = []
    base, head = _count(campaign, questions, [*questions.measured] if changed else [], problems)
    decided = {
        name: suspects_of(
            ArmCode(base[name], sources[campaign.base.name]), ArmCode(head[name], sources[campaign.head.name])
        )
        for name in questions.regressed
        if name in base and name in head
    }
    chosen = questions.regressed[:MOST_PROFILED] if questions.profiled is None else questions.profiled
    if questions.profiled is None and len(questions.regressed) > len(chosen):
        problems.append(f"{len(chosen)} of {len(questions.regressed)} benchmarks that regressed were profiled")
    profiles: dict[str, ArmProfiles] = {}
    if chosen:
        ranges = [{name: getattr(one, arm) for name, one in decided.items()} for arm in ("base", "head")]
        profiles, new = profile_arms(arms, campaign.args["pytest"], chosen, campaign.folder, ranges)
        problems += new
    problems += [one.problem for name, one in profiles.items() if one.problem and not _has_suspects(decided.get(name))]
    return Answers(
        {name: _ranked(one, profiles.get(name) if name in questions.slower else None) for name, one in decided.items()},
        profiles,
        blind_spots(changed, [head.get(name) for name in questions.measured]) if changed else None,
        problems,
    )


def _has_suspects(decided: DecidedSuspects | None) -> bool:
    return decided is not None and bool(decided.explanation.suspects)


def _ranked(decided: DecidedSuspects, profiles: ArmProfiles | None) -> Explanation:
    return with_shares(decided.explanation, profiles.launches if profiles is not None else ())


def _count(
    campaign: Campaign, questions: Questions, all_ids: Sequence[str], problems: list[str]
) -> tuple[Mapping[str, Execution], Mapping[str, Execution]]:
    """Count calls of the regressed benchmarks in both arms, and of all in head if that is needed."""
    wanted = {campaign.base.name: list(questions.regressed), campaign.head.name: list(all_ids or questions.regressed)}
    folder = campaign.folder / "calls"
    folder.mkdir()
    running = {
        place.name: start(place, campaign.args["pytest"], wanted[place.name], folder)
        for place in (campaign.base, campaign.head)
        if wanted[place.name]
    }
    found = {
        name: answer_of(
            one, CallAnswer, COUNTING_SECONDS_PER_BENCHMARK * len(wanted[name]), "counting calls", problems
        ).executions
        for name, one in running.items()
    }
    return found.get(BASE, {}), found.get(campaign.head.name, {})


class _Sources:
    """Reads an arm's files; compiled ones as a text that is equal if they are."""

    def __init__(self, place: ArmPlace) -> None:
        self._roots = place.roots
        self._read: dict[str, str | None] = {}

    def __call__(self, place: str) -> str | None:
        if place not in self._read:
            number, _, path = place.partition("/")
            self._read[place] = _text(self._roots[int(number)] / path) if int(number) < len(self._roots) else None
        return self._read[place]


def _text(file: Path) -> str | None:
    try:
        data = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return data.decode("latin-1") if file.suffix in COMPILED else data.decode(errors="replace")
