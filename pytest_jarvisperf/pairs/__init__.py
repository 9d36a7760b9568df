"""Measures pairs (`before=`) in turns, after the benchmarks of a run that compares with nothing."""

from pytest_jarvisperf.pairs.measuring import PairSession

__all__ = ["PairSession"]
