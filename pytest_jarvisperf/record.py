"""What one benchmark test leaves behind while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from jarvisperf.runs.model import Benchmark, Metric

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
    """

    id: str
    group: str | None
    params: dict[str, str]
    before: str | None
    metrics: dict[str, Metric] = field(default_factory=dict)
    extra_info: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    def finished(self) -> Benchmark:
        """Give the benchmark as the run keeps it; one with an error has no figures."""
        from jarvisperf.runs.model import Benchmark

        return Benchmark(
            id=self.id,
            group=self.group,
            params=self.params,
            metrics={} if self.error else dict(self.metrics),
            before=self.before,
            extra_info=self.extra_info,
            error=self.error,
        )


record_key = pytest.StashKey[Record]()


def parameters_of(item: pytest.Item) -> dict[str, str]:
    """Give the parameters of a test as text of bounded length."""
    callspec = getattr(item, "callspec", None)
    return {name: _shortened(repr(value)) for name, value in callspec.params.items()} if callspec else {}


def _shortened(text: str) -> str:
    if len(text) <= SHOWN_PARAMETER_CHARACTERS:
        return text
    return f"{text[: SHOWN_PARAMETER_CHARACTERS - 1]}…"
