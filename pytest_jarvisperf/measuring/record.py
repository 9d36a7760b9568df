"""What one benchmark test leaves behind while it runs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_jarvisperf.markers import check_markers, read_bench_marker
from pytest_jarvisperf.measuring.profiling import read_wish

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jarvisperf.profiles.pairing import Sliced
    from jarvisperf.runs.model import Benchmark, Metric
    from pytest_jarvisperf.measuring.profiling import Wish

SHOWN_PARAMETER_CHARACTERS = 200


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
        wish: How it is to be profiled; None: not at all.
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
    wish: Wish | None = None
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


def record_of(item: pytest.Item) -> Record:
    """Give a fixture its test's record; a test that asked for the fixture in the middle of its run gets one now."""
    found = item.stash.get(record_key, None)
    if found is None:
        found = start_record(item)
        found.found_at_run_time = True
    else:  # a fixture or a plugin may have added a marker since
        check_markers(item)
        marker = read_bench_marker(item)
        found.group, found.before, found.wish = marker.group, marker.before, read_wish(item)
    found.claimed = True
    return found


def start_record(item: pytest.Item, *, whole_test: bool = False) -> Record:
    """Give a test an empty record.

    Args:
        item: The test.
        whole_test: Whether all of the test is the target.
    """
    marker = read_bench_marker(item)
    record = Record(
        item.nodeid, marker.group, parameters_of(item), marker.before, wish=read_wish(item), whole_test=whole_test
    )
    item.stash[record_key] = record
    return record


def restart_record(item: pytest.Item) -> None:
    """Empty a test's record for another attempt."""
    earlier = item.stash[record_key]
    record = start_record(item, whole_test=earlier.whole_test)
    record.found_at_run_time = earlier.found_at_run_time


def as_text(value: object) -> str:
    """Give a value as text that every file and terminal takes: what UTF-8 cannot hold is written out as escapes."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def parameters_of(item: pytest.Item) -> dict[str, str]:
    """Give the parameters of a test as text of bounded length."""
    callspec = getattr(item, "callspec", None)
    return (
        {as_text(name): _shortened(as_text(repr(value))) for name, value in callspec.params.items()} if callspec else {}
    )


def _shortened(text: str) -> str:
    if len(text) <= SHOWN_PARAMETER_CHARACTERS:
        return text
    return f"{text[: SHOWN_PARAMETER_CHARACTERS - 1]}…"
