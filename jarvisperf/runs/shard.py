"""A part of a suite: `1/4` is the first of four, so that four machines measure a suite together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

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

    def picks(self, ids: Iterable[str]) -> frozenset[str]:
        """Give this part's share of the ids: every so-many-th in sorted order, whatever order they come in."""
        return frozenset(sorted(ids)[self.number - 1 :: self.of])


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
