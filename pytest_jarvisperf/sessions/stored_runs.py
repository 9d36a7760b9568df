"""The stored runs that `--jarvis-compare` selects, and what they can decide at best, before anything is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest

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
        runs: Newest first; empty only where this run is stored as the first of its name.
        warnings: What the user should know, a line each.
        absence: Why there are none; empty where there are some.
    """

    runs: tuple[Run, ...]
    warnings: tuple[str, ...] = ()
    absence: str = ""


def find_stored_runs(options: Options, store: RunStore, selector: str, machine: Machine) -> StoredRuns:
    """Find and read the runs that are meant; those that were interrupted or cannot be read are left out.

    Where there are none, a run that is itself stored under the name it is to be compared with goes on: it is the first.

    Args:
        options: This plugin's.
        store: Where runs are kept.
        selector: A name, a commit, a run's token or ``latest``.
        machine: This one.

    Raises:
        pytest.UsageError: The store cannot be read, or has nothing to compare with; the message names what is there.
    """
    from jarvisperf.runs.names import LATEST, is_name
    from jarvisperf.runs.store import RunStoreError

    try:
        found = store.find(selector, machine.fingerprint)
        loaded = store.load_readable(found.entries, at_most=MOST_RUNS)
    except RunStoreError as error:
        raise pytest.UsageError(f"--jarvis-compare {selector}: the store cannot be read: {error}") from None
    finished = tuple(run for _, run in loaded.runs if not run.interrupted)
    if finished:
        return StoredRuns(finished, (*found.warnings, *loaded.warnings))
    why = "; ".join(found.warnings)
    if found.entries:
        count = len(found.entries)
        why = f"of its {count} stored run{'' if count == 1 else 's'} none "
        why += "was finished" if loaded.runs else f"can be read ({loaded.warnings[0].removeprefix('skipped: ')})"
    if options.save is not None and selector in {options.save, LATEST}:
        return StoredRuns((), loaded.warnings, why)
    name = selector if is_name(selector) and not found.entries else "NAME"
    raise pytest.UsageError(
        f"--jarvis-compare {selector}: nothing to compare with: {why}; "
        f"store a run first: pytest --jarvis-bench --jarvis-save {name}"
    )


class Outlook(NamedTuple):
    """How many benchmarks stored runs can decide at best.

    Attributes:
        known: How many of the benchmarks the newest stored run has.
        decidable: How many of those would pass if head were as fast as that run, with no error of its own.
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

    A single stored run shows no deviation from run to run: a wide one is assumed, and no small threshold can be
    decided.
    Measuring every benchmark once for that, and then again in lockstep, is a waste.

    Args:
        stored: The runs, newest first.
        names: The ids of the benchmarks that are to be measured.
        threshold: How much worse a metric may get, by benchmark and metric; None: it is not judged.
        machine: This one.
    """
    from jarvisperf.gate.screening.screen import screen
    from jarvisperf.runs.bounds import bounded_id

    twin = msgspec.structs.replace(stored[0], machine=machine)
    wanted = {bounded_id(name) for name in names}
    screened = [one for name, one in screen(twin, stored, threshold).items() if bounded_id(name) in wanted]
    return Outlook(len(screened), sum(not one.to_confirm for one in screened))
