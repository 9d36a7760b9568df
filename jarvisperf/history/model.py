"""The data model of a history: for each benchmark and metric a point per run, and the runs at which it changed."""

from __future__ import annotations

import datetime
import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Occasion(msgspec.Struct, frozen=True):
    """A run in a history.

    Attributes:
        token: The run's token.
        created: When it started, in UTC.
        commit: The first 12 digits of the commit; None: no commit.
        dirty: Whether the files differed from the commit.
        name: The name it is stored under.
    """

    token: str
    created: datetime.datetime
    commit: str | None
    dirty: bool
    name: str

    @property
    def shown(self) -> str:
        """The commit, for people to read."""
        return f"{self.commit or 'no commit'}{' (changed)' if self.dirty else ''}"


class Point(msgspec.Struct, frozen=True, gc=False):
    """One benchmark's metric in one run.

    Attributes:
        place: The index of the history's occasion.
        median: The median, in the metric's unit.
        low: 25th percentile.
        high: 75th percentile.
        speed: How slow the machine was at the time: its yardstick divided by the history's median yardstick; 1 if
            unknown.
    """

    place: int
    median: float
    low: float
    high: float
    speed: float = 1.0

    def levelled(self) -> Point:
        """Return the point without the drift that the yardstick explains."""
        return Point(self.place, self.median / self.speed, self.low / self.speed, self.high / self.speed)


class LevelChange(msgspec.Struct, frozen=True):
    """A change of a series' level.

    Attributes:
        place: The index of the occasion of the first run after the change.
        before: The median level before, in the metric's unit.
        after: The median level after.
    """

    place: int
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """The median after the change divided by the one before."""
        return self.after / self.before

    @property
    def size(self) -> float:
        """The size of the change in either direction: the absolute logarithm of the ratio."""
        return abs(math.log(self.after) - math.log(self.before))


class Series(msgspec.Struct, frozen=True):
    """One metric of one benchmark over the runs, oldest first.

    Attributes:
        benchmark: The benchmark's id, as it is stored.
        metric: The metric's name.
        unit: The symbol of its unit, like ``s`` or ``B``.
        points: A point for each run that has it.
        changes: The changes of its level.
        yardstick: Whether changes were searched for after removing the drift that the yardstick explains.
    """

    benchmark: str
    metric: str
    unit: str
    points: tuple[Point, ...]
    changes: tuple[LevelChange, ...] = ()
    yardstick: bool = False

    def levels(self) -> tuple[Point, ...]:
        """Return the points that were searched for changes."""
        return tuple(point.levelled() for point in self.points) if self.yardstick else self.points


class History(msgspec.Struct, frozen=True):
    """All series of some runs.

    Attributes:
        occasions: The runs, oldest first.
        series: The series, by benchmark id and metric.
        warnings: Warnings for the user, one line each.
        unsearched: Why changes were not searched for; empty if they were.
    """

    occasions: tuple[Occasion, ...] = ()
    series: dict[str, dict[str, Series]] = {}
    warnings: tuple[str, ...] = ()
    unsearched: str = ""

    def all_series(self) -> Iterator[Series]:
        """Iterate over every series, benchmark by benchmark."""
        for metrics in self.series.values():
            yield from metrics.values()
