"""The record of one benchmark test: its measurements, and what else is known about it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from jarvisperf.error_text import type_and_first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jarvisperf.profiles.model import Engine
    from jarvisperf.profiles.pairing import Sliced
    from jarvisperf.runs.model import Benchmark, Metric, SideBySide
    from pytest_jarvisperf.markers.jarvis import BenchMarker


class ProfileRequest(NamedTuple):
    """How to profile a test.

    Attributes:
        engine: The profiler.
        top: The number of functions in the report.
    """

    engine: Engine
    top: int


@dataclass(slots=True)
class BenchmarkRecord:
    """The measurements of one test, collected until it ends.

    Attributes:
        id: The pytest node id.
        group: The group that reports show it in.
        params: Its parameters as text, by name.
        marker: The keys of its markers.
        metrics: The metrics measured so far.
        extra_info: The author's notes.
        error: The reason why it has no figures.
        yardstick: Seconds of each reference workload around it.
        first_reading: The index of the yardstick's reading just before it; None if it has not been measured yet.
        profile_request: How to profile it; None if it is not to be profiled.
        profile: The breakdown of its time or memory.
        profile_problem: The reason why it could not be profiled.
        found_at_run_time: Whether the test requested its fixture at run time, so that collection did not recognize it.
        whole_test: Whether the test has a marker but no fixture, so that all of it is the target.
        claimed: Whether a fixture has been set up to measure a target.
        notes: Notes for readers of its figures.
        raised: Its target's exception in one line, even if the test caught it; None if it did not raise.
        call_seconds: Of metrics measured on single calls, the shortest call that was made; 0 without such a metric.
        total_seconds: How long the test took, with its fixtures and, of a pair, its turns.
        side_by_side: The comparison of the functions that it measured together; None if it measured one.
    """

    id: str
    group: str | None
    params: dict[str, str]
    marker: BenchMarker
    metrics: dict[str, Metric] = field(default_factory=dict)
    extra_info: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    yardstick: dict[str, float] = field(default_factory=dict)
    first_reading: int | None = None
    profile_request: ProfileRequest | None = None
    profile: Sliced | None = None
    profile_problem: str | None = None
    found_at_run_time: bool = False
    whole_test: bool = False
    claimed: bool = False
    notes: list[str] = field(default_factory=list)
    raised: str | None = None
    call_seconds: float = 0.0
    total_seconds: float = 0.0
    side_by_side: SideBySide | None = None

    @property
    def before(self) -> str | None:
        """The id of its uncached or naive counterpart."""
        return self.marker.before

    @contextmanager
    def watching_target(self) -> Iterator[None]:
        """Record what calls of the target raise, because the test may catch it; even an exit, or a cancellation."""
        try:
            yield
        except BaseException as error:
            self.raised = as_text(type_and_first_line(error))
            raise

    def note(self, text: str | None) -> None:
        """Add a note for readers of the figures, once; None adds nothing."""
        if text is not None and text not in self.notes:
            self.notes.append(text)

    def describe(self, group: object, extra_info: Mapping[Any, Any]) -> None:
        """Record the test's group and notes; values become text."""
        self.group = None if group is None else as_text(group)
        self.extra_info = {as_text(name): as_text(value) for name, value in extra_info.items()}

    def finished(self) -> Benchmark:
        """Return the benchmark for the run; one with an error has no figures."""
        from jarvisperf.runs.model import Benchmark

        return Benchmark(
            id=as_text(self.id),
            group=self.group,
            params=self.params,
            metrics={} if self.error else dict(self.metrics),
            before=None if self.before is None else as_text(self.before),
            extra_info=self.extra_info,
            error=None if self.error is None else as_text(self.error),
            yardstick=self.yardstick,
            side_by_side=None if self.error else self.side_by_side,
            seconds=self.total_seconds,
        )


def as_text(value: object) -> str:
    """Convert a value to text that every file and terminal accepts; what UTF-8 cannot encode is escaped."""
    return str(value).encode("utf-8", "backslashreplace").decode()
