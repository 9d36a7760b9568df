"""The metrics, one file each. `kind.py` defines what a metric is; `registry.py` lists them."""

from jarvisperf.measure.metrics.kind import MetricKind, OfProcesses, OfSingleCalls, OfTimedCalls
from jarvisperf.measure.metrics.registry import BUILT_IN, Metrics
from jarvisperf.measure.metrics.time import TIME
from jarvisperf.measure.metrics.units import BYTES, SECONDS, Unit, count_of

__all__ = [
    "BUILT_IN",
    "BYTES",
    "SECONDS",
    "TIME",
    "MetricKind",
    "Metrics",
    "OfProcesses",
    "OfSingleCalls",
    "OfTimedCalls",
    "Unit",
    "count_of",
]
