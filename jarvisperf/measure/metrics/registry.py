"""The metrics of a session: those listed here, and those of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.measure.metrics.allocations import ALLOCATIONS
from jarvisperf.measure.metrics.import_time import IMPORT_TIME
from jarvisperf.measure.metrics.instructions import INSTRUCTIONS
from jarvisperf.measure.metrics.kind import MetricKind, OfProcesses, OfSingleCalls, OfTimedCalls, stored_kind
from jarvisperf.measure.metrics.memory import MEMORY
from jarvisperf.measure.metrics.quality import QUALITY
from jarvisperf.measure.metrics.startup import STARTUP
from jarvisperf.measure.metrics.time import TIME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jarvisperf.runs.model import Better


class Metrics:
    """Metric kinds by name; immutable.

    Args:
        kinds: The kinds, in the order in which users see them; metrics measured along with a kind follow it.

    Raises:
        ValueError: Two kinds have the same name, or a name or threshold is not allowed.
    """

    def __init__(self, kinds: Iterable[MetricKind]) -> None:
        self._kinds: dict[str, MetricKind] = {}
        for listed in kinds:
            for kind in listed.together:
                if not kind.name.isidentifier() or kind.name.startswith("max_"):
                    raise ValueError(f"a metric's name is an identifier without the prefix max_, got {kind.name!r}")
                if not kind.threshold > 0:
                    raise ValueError(f"threshold of {kind.name} is {kind.threshold!r}; give a share above 0, like 0.05")
                if self._kinds.setdefault(kind.name, kind) is not kind:
                    raise ValueError(f"two metrics have the name {kind.name!r}; rename one of them")

    def __iter__(self) -> Iterator[MetricKind]:
        return iter(self._kinds.values())

    def __contains__(self, name: object) -> bool:
        return name in self._kinds

    def __getitem__(self, name: str) -> MetricKind:
        """Return the kind with a name.

        Raises:
            KeyError: There is no kind with this name.
        """
        return self._kinds[name]

    def with_kinds(self, kinds: Iterable[MetricKind]) -> Metrics:
        """Return a collection of these and further kinds.

        Raises:
            ValueError: A name is already in use or not allowed.
        """
        return Metrics([*self, *kinds])

    def of(self, name: str, unit: str, better: Better = "lower") -> MetricKind:
        """Return the kind of a metric in a stored run or a report.

        Args:
            name: The metric's name.
            unit: The symbol of its unit. A metric of the same name in another unit is a different metric.
            better: Which direction is better.
        """
        kind = self._kinds.get(name)
        return kind if kind and kind.unit.symbol == unit else stored_kind(name, unit, better)

    @property
    def of_calls(self) -> tuple[str, ...]:
        """The names of the metrics that are measured on calls of a function."""
        return tuple(kind.name for kind in self if isinstance(kind.measurement, OfTimedCalls | OfSingleCalls))

    @property
    def measurable(self) -> tuple[str, ...]:
        """The names of the metrics that are methods of the fixture `jarvis_bench`."""
        return tuple(kind.name for kind in self if isinstance(kind.measurement, OfSingleCalls | OfProcesses))

    @property
    def thresholds(self) -> dict[str, float]:
        """The default thresholds by name, as shares."""
        return {kind.name: kind.threshold for kind in self}


BUILT_IN = Metrics(
    (
        TIME,
        MEMORY,
        STARTUP,
        ALLOCATIONS,
        IMPORT_TIME,
        QUALITY,
        INSTRUCTIONS,
    )
)
