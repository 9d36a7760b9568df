"""Continues comparisons that were interrupted (`--jarvis-resume`)."""

from pytest_jarvisperf.unfinished.conditions import conditions_of
from pytest_jarvisperf.unfinished.resumption import Resumption

__all__ = ["Resumption", "conditions_of"]
