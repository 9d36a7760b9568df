"""A plugin for pytests inside of tests: regressed benchmarks are profiled once and for a moment only.

Three pairs of processes that each profile for a second take longer than a whole comparison. What profiles say is tested
without this plugin.
"""

from __future__ import annotations

from functools import partial

from jarvisperf.profiles import engines
from pytest_jarvisperf.explaining import profiles

SECONDS = 0.05

profiles.LAUNCHES = 1
engines.take_sliced = partial(engines.take_sliced, seconds=SECONDS)
