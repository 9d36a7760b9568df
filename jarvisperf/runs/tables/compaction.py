"""Brings the Parquet objects up to date: afterwards one part per name and month holds exactly the runs that are listed.

The runs stay: they are the truth, and what a comparison reads. A part is written before the parts that it replaces are
deleted, and only parts that were listed before are deleted. Two compactions at once leave two parts with the same runs,
of which readers use one and the next compaction makes one.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.extras import require
from jarvisperf.runs.tables.database import Tables
from jarvisperf.runs.tables.parts import Group, folder_of, group_of, parse_part, part_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jarvisperf.runs.names import RunEntry
    from jarvisperf.runs.store import RunStore
    from jarvisperf.runs.tables.parts import Part


class Compacted(msgspec.Struct, frozen=True):
    """What happened to the runs of one name and month.

    Attributes:
        group: The name and month.
        runs: How many runs its part holds now.
        bytes: The part's size; None if it was up to date.
        warnings: Warnings for the user, one line each.
    """

    group: Group
    runs: int
    bytes: int | None
    warnings: tuple[str, ...] = ()


def compact(store: RunStore, name: str | None = None, *, rebuild: bool = False) -> Iterator[Compacted]:
    """Bring the parts up to date, one name and month after the other.

    Args:
        store: The store.
        name: Only runs under this name; None: all.
        rebuild: Read every run again instead of copying what older parts hold.

    Yields:
        What happened to each name and month.

    Raises:
        MissingExtraError: The extra `history` is not installed.
        RunStoreError: The store cannot be reached, listed or changed.
        ValueError: The name is not allowed.
    """
    # The parts are listed first: a part that is deleted below can then hold no run that was not listed.
    parts = [part for path in store.place.paths(folder_of(name)) if (part := parse_part(path)) is not None]
    by_group = {
        group: list(entries)
        for group, entries in itertools.groupby(sorted(store.entries(name), key=group_of), key=group_of)
    }
    for group in sorted({*by_group, *(part.group for part in parts if name in {None, part.group.name})}):
        own = sorted(part for part in parts if part.group == group)
        yield _compact_group(store, group, by_group.get(group, []), own, rebuild=rebuild)


def _compact_group(
    store: RunStore, group: Group, entries: list[RunEntry], old: list[Part], *, rebuild: bool
) -> Compacted:
    require("history", "jarvisperf runs compact")
    import duckdb

    if not entries:
        for part in old:
            store.place.delete(part.path)
        return Compacted(group, 0, None)
    with Tables(store, entries, () if rebuild else old) as tables:
        held = len(entries) - len(tables.others)
        added = tables.read_others()
        count = held + added
        warnings = tuple(tables.warnings)
        is_current = not added and len(old) == 1 and len(tables.held.get(old[0], ())) == held
        if is_current or not count:
            return Compacted(group, count, None, warnings)
        try:
            content = tables.parquet()
        except duckdb.Error:
            if rebuild:
                raise
            return _compact_group(store, group, entries, old, rebuild=True)  # a part cannot be read as a whole
    new = part_of(group, content)
    store.place.write(new.path, content)
    for part in old:
        if part != new:
            store.place.delete(part.path)
    return Compacted(group, count, len(content), warnings)
