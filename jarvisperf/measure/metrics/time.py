"""`time`: the seconds of a call."""

from __future__ import annotations

from jarvisperf.measure.metrics.kind import MetricKind, OfTimedCalls
from jarvisperf.measure.metrics.units import SECONDS

CLOCK = "perf_counter"

TIME = MetricKind(
    name="time",
    unit=SECONDS,
    axis_label="time per call",
    threshold=0.05,
    prior_deviation=0.10,
    floor_deviation=0.003,
    follows_machine=True,
    measurement=OfTimedCalls(method=CLOCK),
)
