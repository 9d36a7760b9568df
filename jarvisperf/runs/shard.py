"""A part of a suite: `1/4` is the first of four, so that four machines can share the work."""

from __future__ import annotations

import hashlib
import math
import re
import statistics
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from jarvisperf.runs.model import Seconds  # msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_SHARDS = 10_000
_FORM = re.compile(r"([0-9]{1,5})/([0-9]{1,5})")
_DIGEST_BYTES = 16


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


class Split(msgspec.Struct, frozen=True):
    """How a suite was cut into parts.

    Attributes:
        digest: The same for all parts of one suite: a hash of the benchmarks of each part.
        source: The stored run whose durations balance the parts; null if there was none.
        seconds: The expected duration of each part in seconds; empty without such a run.
    """

    digest: str
    source: str | None = None
    seconds: tuple[Seconds, ...] = ()


class Parts(NamedTuple):
    """The parts of a suite.

    Attributes:
        names: The benchmarks of each part.
        seconds: The expected duration of each part in seconds; empty if no duration is known.
    """

    names: tuple[frozenset[str], ...]
    seconds: tuple[float, ...] = ()

    def split(self, source: str | None) -> Split:
        """Describe the parts.

        Args:
            source: The stored run that the durations come from.
        """
        listed = "\n\n".join("\n".join(sorted(part)) for part in self.names)
        digest = hashlib.blake2b(listed.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
        return Split(digest, source if self.seconds else None, self.seconds)


def cut(twins: Mapping[str, str | None], of: int, seconds: Mapping[str, float]) -> Parts:
    """Cut a suite into parts, the same ones in whatever order the benchmarks are passed in.

    The longest benchmark goes first, each to the part that is shortest so far (longest processing time first, R. L.
    Graham, "Bounds on Multiprocessing Timing Anomalies", 1969). Without any duration, they are dealt out in turns.

    Args:
        twins: The id of each benchmark's uncached or naive counterpart, which stays in the same part; None if it has
            none.
        of: The number of parts.
        seconds: How long benchmarks took, by id; one that is unknown counts as the median of the others.
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(twins):
        groups.setdefault(_first_of(name, twins), []).append(name)
    known = {name: seconds[name] for name in sorted(twins) if name in seconds}
    if not known:
        ordered = sorted(groups)
        return Parts(tuple(_joined(groups, ordered[number::of]) for number in range(of)))
    usual = statistics.median(known.values())
    took = {first: math.fsum(known.get(name, usual) for name in names) for first, names in groups.items()}
    chosen: list[list[str]] = [[] for _ in range(of)]
    totals = [0.0] * of
    for first in sorted(groups, key=lambda first: (-took[first], first)):
        shortest = min(range(of), key=lambda number: (totals[number], len(chosen[number])))
        chosen[shortest].append(first)
        totals[shortest] += took[first]
    return Parts(tuple(_joined(groups, part) for part in chosen), tuple(totals))


def most_parts(twins: Mapping[str, str | None]) -> int:
    """Return the largest number of parts that leaves no part empty.

    Args:
        twins: The id of each benchmark's uncached or naive counterpart, which stays in the same part; None if it has
            none.
    """
    return len({_first_of(name, twins) for name in twins})


def _joined(groups: Mapping[str, list[str]], firsts: Sequence[str]) -> frozenset[str]:
    return frozenset(name for first in firsts for name in groups[first])


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
