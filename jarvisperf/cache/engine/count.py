"""Counts in statistics, whose share of nothing is 0 instead of an error."""

from __future__ import annotations


class Count(int):
    """A count of hits or misses.

    ``hits / (hits + misses)`` is a share of reads. Before the first read of a tier, such as right after a set and a get
    that memory answered, that would be 0 / 0; here it is 0.0. Sums of counts are counts. To json, orjson and pydantic a
    count is an int; msgspec needs ``enc_hook=int``.
    """

    __slots__ = ()

    def __add__(self, other: int, /) -> Count:
        """Add another count; anything else that an int can be added to gives what the int would."""
        total = super().__add__(other)
        return total if total is NotImplemented else Count(total)

    __radd__ = __add__

    def __truediv__(self, other: int, /) -> float:
        """Divide; 0 / 0 is 0.0."""
        if not self and type(other) in {Count, int} and not other:
            return 0.0
        return super().__truediv__(other)
