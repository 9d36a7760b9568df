"""A part of a suite: `1/4` is the first of four, so that four machines measure a suite together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_SHARDS = 10_000
_FORM = re.compile(r"([0-9]{1,5})/([0-9]{1,5})")


class Shard(NamedTuple):
    """One of several parts.

    Attributes:
        number: Which one, from 1.
        of: How many there are.
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def picks(self, twins: Mapping[str, str | None]) -> frozenset[str]:
        """Give this part's share of the benchmarks: every so-many-th in sorted order, whatever order they come in.

        Args:
            twins: For each benchmark's id that of its uncached or naive twin, which stays with it.
        """
        first = {name: _first_of(name, twins) for name in twins}
        mine = frozenset(sorted(set(first.values()))[self.number - 1 :: self.of])
        return frozenset(name for name in twins if first[name] in mine)


def most_parts(twins: Mapping[str, str | None]) -> int:
    """Tell into how many parts these benchmarks can be cut, so that each part has one.

    Args:
        twins: For each benchmark's id that of its uncached or naive twin, which stays with it.
    """
    return len({_first_of(name, twins) for name in twins})


def _first_of(name: str, twins: Mapping[str, str | None]) -> str:
    """Follow the twins to the last; where they go round in a circle, to the smallest name of that."""
    seen = [name]
    while (twin := twins.get(seen[-1])) is not None and twin in twins:
        if twin in seen:
            return min(seen[seen.index(twin) :])
        seen.append(twin)
    return seen[-1]


def parse_shard(text: str) -> Shard:
    """Read a shard.

    Raises:
        ValueError: It is not one; the message says what is allowed.
    """
    match = _FORM.fullmatch(text.strip())
    shard = Shard(int(match[1]), int(match[2])) if match else Shard(0, 0)
    if not 1 <= shard.number <= shard.of <= MOST_SHARDS:
        raise ValueError(f"{text!r} is not allowed, give a part like 1/4: the first of four")
    return shard
