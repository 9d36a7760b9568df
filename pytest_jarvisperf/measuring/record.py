"""What one benchmark test leaves behind while it runs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jarvisperf.profiles.model import Engine
    from jarvisperf.profiles.pairing import Sliced
    from jarvisperf.runs.model import Benchmark, Metric


class ProfileRequest(NamedTuple):
    """How a test is to be profiled.

    Attributes:
        engine: By what.
        top: How many functions the report shows.
    """

    engine: Engine
    top: int


@dataclass(slots=True)
class Record:
    """The measurements of one test, gathered until it has ended.

    Attributes:
        id: The pytest node id.
        group: The group it is shown in.
        params: Its parameters as text, by name.
        before: The id of its uncached or naive twin.
        metrics: What was measured so far.
        extra_info: What the test's author noted.
        error: Why it has no figures.
        yardstick: Seconds of each reference workload beside it.
        first_reading: The place of the yardstick's reading just before it; None: it has not measured yet.
        profile_request: How it is to be profiled; None: not at all.
        profile: Where its time or memory goes.
        profile_problem: Why it could not be profiled.
        found_at_run_time: The test asked for its fixture while it ran, so collection did not know it for a benchmark.
        whole_test: The test has a marker and no fixture: all of it is the target.
        claimed: A fixture has been set up to take a target.
        notes: What the reader of its figures should know.
        raised: What its target raised, in one line, whatever the test made of that; None: nothing.
    """

    id: str
    group: str | None
    params: dict[str, str]
    before: str | None
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

    @contextmanager
    def watching_target(self) -> Iterator[None]:
        """Note what calls of the target raise: the test may catch it."""
        try:
            yield
        except Exception as error:
            first = str(error).strip().partition("\n")[0]
            self.raised = as_text(f"{type(error).__name__}: {first}" if first else type(error).__name__)
            raise

    def note(self, text: str | None) -> None:
        """Note what the reader of the figures should know, each thing once; None is nothing."""
        if text is not None and text not in self.notes:
            self.notes.append(text)

    def describe(self, group: object, extra_info: Mapping[Any, Any]) -> None:
        """Note what the test said about itself; values become text."""
        self.group = None if group is None else as_text(group)
        self.extra_info = {as_text(name): as_text(value) for name, value in extra_info.items()}

    def finished(self) -> Benchmark:
        """Give the benchmark as the run keeps it; one with an error has no figures."""
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
        )


record_key = pytest.StashKey[Record]()


def as_text(value: object) -> str:
    """Give a value as text that every file and terminal takes: what UTF-8 cannot hold is written out as escapes."""
    return str(value).encode("utf-8", "backslashreplace").decode()
