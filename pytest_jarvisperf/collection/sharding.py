"""In a sharded run, keeps the benchmarks of this part, balanced by how long they took in a stored run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_jarvisperf.measuring.stash_keys import elsewhere_key, record_key, split_key
from pytest_jarvisperf.state import state_of
from pytest_jarvisperf.usage_errors import usage_error

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    import pytest

    from jarvisperf.runs.shard import Shard
    from jarvisperf.runs.store import RunEntry, RunStore

MOST_RUNS = 20  # to read for benchmarks that the newest run lacks, as when each part stored its own


class Durations(NamedTuple):
    """How long benchmarks took.

    Attributes:
        source: The newest stored run that says so; empty if none does.
        seconds: The durations by id.
    """

    source: str
    seconds: dict[str, float]


def keep_shard(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a sharded run, deselect the benchmarks that other machines run; functional tests run on all machines.

    Raises:
        pytest.UsageError: The store cannot be read, so that other machines may cut the suite differently; or this part
            would measure nothing, because the suite is too small for that many parts.
    """
    from jarvisperf.runs.shard import cut
    from jarvisperf.runs.store import RunStoreError, open_store

    options = state_of(config).options
    shard = options.shard
    if shard is None:
        return
    twins = {item.nodeid: item.stash[record_key].before for item in items if record_key in item.stash}
    try:
        durations = stored_durations(open_store(options.store, config.rootpath), config.rootpath, twins)
    except RunStoreError as error:
        raise usage_error(f"--jarvis-shard {shard}: the parts are balanced by stored runs, but {error}") from None
    parts = cut(twins, shard.of, durations.seconds)
    mine = parts.names[shard.number - 1]
    if twins and not mine and options.bench:
        raise usage_error(_too_many_parts(shard, twins))
    others = [item for item in items if record_key in item.stash and item.nodeid not in mine]
    config.stash[elsewhere_key] = frozenset(item.nodeid for item in others)
    config.stash[split_key] = parts.split(durations.source)
    items[:] = [item for item in items if record_key not in item.stash or item.nodeid in mine]
    config.hook.pytest_deselected(items=others)


def stored_durations(store: RunStore, folder: Path, names: Collection[str]) -> Durations:
    """Read how long benchmarks took.

    All parts of a suite have to find the same durations, even if a run is stored while they start. So only runs stored
    before HEAD was committed count; if there are none, the oldest one does.

    Args:
        store: The store of runs.
        folder: Any folder of the repository.
        names: The ids of the benchmarks.

    Raises:
        RunStoreError: The store cannot be reached or listed.
    """
    from jarvisperf.runs.bounds import bounded_id

    stored = {bounded_id(name): name for name in names}
    found: dict[str, float] = {}
    source = ""
    for entry in _candidates(store, folder)[:MOST_RUNS]:
        if len(found) == len(stored):
            break
        for _, run in store.load_readable([entry]).runs:
            took = {stored[one.id]: one.seconds for one in run.benchmarks if one.seconds and one.id in stored}
            source = source or (f"{entry.name} ({entry.token})" if took else "")
            found = took | found
    return Durations(source, found)


def _candidates(store: RunStore, folder: Path) -> list[RunEntry]:
    """Return runs of one name, newest first."""
    from jarvisperf.runs.commit import read_commit
    from jarvisperf.runs.names import utc_time

    entries = store.entries()
    commit = read_commit(folder)
    if commit is not None:
        until = utc_time(commit.time)
        entries = [entry for entry in entries if entry.created <= until] or entries[-1:]
    return [entry for entry in entries if entry.name == entries[0].name]


def _too_many_parts(shard: Shard, twins: Mapping[str, str | None]) -> str:
    from jarvisperf.runs.shard import most_parts

    most = most_parts(twins)
    there = "1 benchmark" if len(twins) == 1 else f"{len(twins)} benchmarks"
    pairs = ", and pairs (before=) stay together" if most < len(twins) else ""
    advice = f"use at most {most}, like --jarvis-shard {min(shard.number, most)}/{most}"
    return f"--jarvis-shard {shard}: this part is empty: the suite has {there}{pairs}; {advice}"
