"""A part of a suite: `1/4` is the first of four, so that four machines can share the work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_SHARDS = 10_000
_FORM = re.compile(r"([0-9]{1,5})/([0-9]{1,5})")


class Shard(NamedTuple):
    """One part of a suite.

    Attributes:
        number: The part's number, from 1.
        of: The number of parts.
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def picks(self, twins: Mapping[str, str | None]) -> frozenset[str]:
        """Return this part's benchmarks: every n-th in sorted order, whatever order they are passed in.

        Args:
            twins: The id of each benchmark's uncached or naive counterpart, which stays in the same part; None if it
                has none.
        """
        first = {name: _first_of(name, twins) for name in twins}
        mine = frozenset(sorted(set(first.values()))[self.number - 1 :: self.of])
        return frozenset(name for name in twins if first[name] in mine)


def most_parts(twins: Mapping[str, str | None]) -> int:
    """Return the largest number of parts that leaves no part empty.

    Args:
        twins: The id of each benchmark's uncached or naive counterpart, which stays in the same part; None if it has
            none.
    """
    return len({_first_of(name, twins) for name in twins})


def _first_of(name: str, twins: Mapping[str, str | None]) -> str:
    """Follow the chain of counterparts to its end; if it is a cycle, return the smallest name in it."""
    seen = [name]
    while (twin := twins.get(seen[-1])) is not None and twin in twins:
        if twin in seen:
            return min(seen[seen.index(twin) :])
        seen.append(twin)
    return seen[-1]


def parse_shard(text: str) -> Shard:
    """Parse a shard.

    Raises:
        ValueError: It is not one; the message shows the form.
    """
    match = _FORM.fullmatch(text.strip())
    shard = Shard(int(match[1]), int(match[2])) if match else Shard(0, 0)
    if not 1 <= shard.number <= shard.of <= MOST_SHARDS:
        raise ValueError(f"{text!r} is not allowed; give a part like 1/4: the first of four")
    return shard
