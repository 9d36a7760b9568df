"""What a history is: for each benchmark and metric one point a run, and the runs at which it changed."""

from __future__ import annotations

import datetime
import math
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

NANOSECONDS_PER_SECOND = 10**9


class Occasion(msgspec.Struct, frozen=True):
    """A run of a history.

    Attributes:
        token: The run's token.
        created: When it began, in UTC.
        commit: The first 12 digits of the commit; None: there was none.
        dirty: Whether the files differed from the commit.
        name: What it is stored under.
    """

    token: str
    created: datetime.datetime
    commit: str | None
    dirty: bool
    name: str

    @property
    def shown(self) -> str:
        """The commit as people read it."""
        return f"{self.commit or 'no commit'}{' (changed)' if self.dirty else ''}"


class Point(msgspec.Struct, frozen=True, gc=False):
    """One benchmark's metric in one run.

    Attributes:
        place: Which of the history's occasions.
        median: The median, in the metric's unit.
        low: 25th percentile.
        high: 75th percentile.
        speed: How slow the machine was just then: its yardstick over the history's middle one; 1 without any.
    """

    place: int
    median: float
    low: float
    high: float
    speed: float = 1.0

    def levelled(self) -> Point:
        """Give the point less what the yardstick explains."""
        return Point(self.place, self.median / self.speed, self.low / self.speed, self.high / self.speed)


class LevelChange(msgspec.Struct, frozen=True):
    """A step in a series.

    Attributes:
        place: The occasion with the first run after the step.
        before: The middle level before, in the metric's unit.
        after: The middle level after.
    """

    place: int
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """After over before."""
        return self.after / self.before

    @property
    def size(self) -> float:
        """How large the step is, up or down alike: the logarithm of the ratio without its sign."""
        return abs(math.log(self.after) - math.log(self.before))


class Series(msgspec.Struct, frozen=True):
    """One metric of one benchmark over the runs, the oldest first.

    Attributes:
        benchmark: The benchmark's id, as it is stored.
        metric: The metric's name.
        unit: ``s`` or ``B``.
        points: The runs that have it.
        changes: Where it changed.
        yardstick: Whether what the yardstick explains was taken out before changes were looked for.
    """

    benchmark: str
    metric: str
    unit: Literal["s", "B"]
    points: tuple[Point, ...]
    changes: tuple[LevelChange, ...] = ()
    yardstick: bool = False

    def levels(self) -> tuple[Point, ...]:
        """Give the points in which changes were looked for."""
        return tuple(point.levelled() for point in self.points) if self.yardstick else self.points


class History(msgspec.Struct, frozen=True):
    """All series of some runs.

    Attributes:
        occasions: The runs, the oldest first.
        series: By benchmark id and metric.
        warnings: What the user should know, a line each.
    """

    occasions: tuple[Occasion, ...] = ()
    series: dict[str, dict[str, Series]] = {}
    warnings: tuple[str, ...] = ()

    def all_series(self) -> Iterator[Series]:
        """Give every series, benchmark by benchmark."""
        for metrics in self.series.values():
            yield from metrics.values()
