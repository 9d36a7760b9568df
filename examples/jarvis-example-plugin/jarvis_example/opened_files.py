"""The metric `opened_files`: how many files a call opens."""

from __future__ import annotations

import sys
from typing import Any

from jarvisperf.measure.metrics import MetricKind, OfSingleCalls, count_of

_counts: list[int] = []  # one counter for each measurement in progress


def _count(event: str, _args: tuple[Any, ...]) -> None:
    if _counts and event == "open":
        _counts[-1] += 1


sys.addaudithook(_count)  # it cannot be removed again, but does nothing while no counter is there


def _measure(target: Any, _methods: tuple[str, ...]) -> list[float]:
    _counts.append(0)
    try:
        target.call()
    finally:
        opened = _counts.pop()
    return [float(opened)]


OPENED_FILES = MetricKind(
    name="opened_files",
    unit=count_of("files"),
    axis_label="files opened per call",
    threshold=0.01,
    smallest=1.0,  # a ratio to 0 files would be infinite
    measurement=OfSingleCalls(methods=lambda: ("audit hook",), values=_measure),
)
