"""The stored runs that `--jarvis-compare` selects, and what they can decide at best, before anything is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pytest_jarvisperf.usage_errors import usage_error

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from jarvisperf.runs.machine import Machine
    from jarvisperf.runs.model import Run
    from jarvisperf.runs.store import RunStore
    from pytest_jarvisperf.options import Options

MOST_RUNS = 20


class StoredRuns(NamedTuple):
    """The stored runs to compare with.

    Attributes:
        runs: Newest first; empty only if this run is stored as the first of its name.
        warnings: Warnings for the user, one line each.
        absence: The reason why there are none; empty if there are some.
    """

    runs: tuple[Run, ...]
    warnings: tuple[str, ...] = ()
    absence: str = ""


def find_stored_runs(options: Options, store: RunStore, selector: str, machine: Machine) -> StoredRuns:
    """Find and read the selected runs, except those that were interrupted or cannot be read.

    It is not an error to find none if this run is itself stored under that name, as the first one.

    Args:
        options: This plugin's options.
        store: The store of runs.
        selector: A name, a commit, a run's token or ``latest``.
        machine: This machine.

    Raises:
        pytest.UsageError: The store cannot be read, or has nothing to compare with; the message lists what it has.
    """
    from jarvisperf.runs.names import LATEST, is_name
    from jarvisperf.runs.store import RunStoreError

    try:
        found = store.find(selector, machine.fingerprint)
        loaded = store.load_readable(found.entries, at_most=MOST_RUNS)
    except RunStoreError as error:
        raise usage_error(f"--jarvis-compare {selector}: the store cannot be read: {error}") from None
    finished = tuple(run for _, run in loaded.runs if not run.interrupted)
    if finished:
        return StoredRuns(finished, (*found.warnings, *loaded.warnings))
    why = "; ".join(found.warnings)
    if found.entries:
        count = len(found.entries)
        why = f"{count} stored run{'' if count == 1 else 's'} found, but none "
        why += "was finished" if loaded.runs else f"can be read ({loaded.warnings[0].removeprefix('skipped: ')})"
    if options.save is not None and selector in {options.save, LATEST}:
        return StoredRuns((), loaded.warnings, why)
    name = selector if is_name(selector) and not found.entries else "NAME"
    raise usage_error(
        f"--jarvis-compare {selector}: nothing to compare with: {why}; "
        f"store a run first: pytest --jarvis-bench --jarvis-save {name}"
    )


class Outlook(NamedTuple):
    """The number of benchmarks that stored runs can decide at best.

    Attributes:
        known: Number of benchmarks that exist in the newest stored run.
        decidable: Number of those that would pass if head were exactly as fast as that run.
    """

    known: int
    decidable: int

    @property
    def is_hopeless(self) -> bool:
        """Whether every benchmark that can be compared has to be measured in lockstep anyway."""
        return self.known > 0 and self.decidable == 0


def outlook(
    stored: Sequence[Run],
    names: Collection[str],
    threshold: Callable[[str, str], float | None],
    machine: Machine,
) -> Outlook:
    """Screen the newest stored run against all of them, as if this machine had made it now.

    A single stored run does not show how much runs deviate. A wide deviation is assumed, so small thresholds cannot be
    decided. Measuring every benchmark first to find that out, and then again in lockstep, would be a waste.

    Args:
        stored: The runs, newest first.
        names: The ids of the benchmarks to measure.
        threshold: Returns how much worse a metric may get, given benchmark and metric; None: it is not judged.
        machine: This machine.
    """
    from jarvisperf.gate.screening.screen import screen
    from jarvisperf.runs.bounds import bounded_id

    twin = msgspec.structs.replace(stored[0], machine=machine)
    wanted = {bounded_id(name) for name in names}
    screened = [one for name, one in screen(twin, stored, threshold).items() if bounded_id(name) in wanted]
    return Outlook(len(screened), sum(not one.to_confirm for one in screened))
