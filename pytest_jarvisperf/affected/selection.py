"""Chooses the benchmarks that `--jarvis-affected` leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.gate.affected import Side, Watched, read_change, reasons_to_run
from pytest_jarvisperf.affected import watching
from pytest_jarvisperf.arms.arguments import PRELOADED_PACKAGES
from pytest_jarvisperf.explaining.processes import answer_of, start

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jarvisperf.gate.arms.revision import Repository
    from jarvisperf.gate.lockstep.model import Campaign

WATCHING_SECONDS_PER_BENCHMARK = 10.0


class Unaffected(NamedTuple):
    """What was found.

    Attributes:
        names: The benchmarks that cannot be affected.
        reasons: Why each of the others has to run, in a few words, by id.
        problems: Messages for the user, one line each.
    """

    names: frozenset[str]
    reasons: dict[str, str]
    problems: list[str]


def unaffected(
    campaign: Campaign, repository: Repository, files: Mapping[str, str], arm_install: str | None
) -> Unaffected:
    """Find the benchmarks that a change cannot have affected.

    Args:
        campaign: The comparison that is about to start.
        repository: The repository and base's commit.
        files: The file of each benchmark, relative to the repository, by id.
        arm_install: The command that installs the project into each arm; None: the arms run from their sources.

    Raises:
        GitError: git could not compare base's commit with the working tree.
        OSError: A process could not be started, or a file could not be read.
    """
    if arm_install is not None:
        return _none(files, "a command installs the project, and what it does cannot be seen")
    packages = campaign.args["packages"]
    if PRELOADED_PACKAGES.intersection(packages):
        return _none(files, f"{min(PRELOADED_PACKAGES.intersection(packages))} takes part in watching")
    change = read_change(repository, (campaign.base.roots[0], campaign.head.roots[0]))
    if change.for_everything is not None:
        return _none(files, change.for_everything)
    problems: list[str] = []
    folder = campaign.folder / "watching"
    folder.mkdir()
    running = [
        start(
            place,
            campaign.args["pytest"],
            campaign.ids,
            folder,
            entry=watching.__name__,
            repository=str(repository.root),
            packages=packages,
        )
        for place in (campaign.base, campaign.head)
    ]
    seconds = WATCHING_SECONDS_PER_BENCHMARK * len(files)
    watched = [answer_of(one, Watched, seconds, "watching benchmarks", problems) for one in running]
    sides = [Side(place.roots[0], one) for place, one in zip((campaign.base, campaign.head), watched, strict=True)]
    reasons = reasons_to_run(change, sides, files)
    return Unaffected(frozenset(files) - reasons.keys(), reasons, problems)


def _none(files: Mapping[str, str], reason: str) -> Unaffected:
    return Unaffected(frozenset(), dict.fromkeys(files, reason), [])
