"""A plugin for pytests inside of tests: regressed benchmarks are profiled, and suspects timed, for a moment only.

Three pairs of processes that each profile for a second take longer than a whole comparison. What profiles say is tested
without this plugin.
"""

from __future__ import annotations

from functools import partial

from jarvisperf.profiles import engines
from pytest_jarvisperf.explaining import profiles
from pytest_jarvisperf.measuring import profiling

SECONDS = 0.05

profiles.LAUNCHES = 1
profiling.TIMED_SECONDS = SECONDS
engines.take_sliced = partial(engines.take_sliced, seconds=SECONDS)
