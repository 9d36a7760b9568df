"""Measures one target: calls, samples and metrics. Independent of the cache and the RAG."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["Launcher", "Plan", "Samples", "Target", "Yardstick", "make_target", "measure", "measure_noise"]

if TYPE_CHECKING:
    from jarvisperf.measure.noise import measure_noise
    from jarvisperf.measure.sampling import Plan, Samples, measure
    from jarvisperf.measure.startup import Launcher
    from jarvisperf.measure.targets import Target, make_target
    from jarvisperf.measure.yardstick import Yardstick
else:
    _FILES = ("startup", "sampling", "sampling", "targets", "yardstick", "targets", "sampling", "noise")
    __getattr__, __dir__ = attach(
        __name__, {name: f"{__name__}.{file}" for name, file in zip(__all__, _FILES, strict=True)}
    )
