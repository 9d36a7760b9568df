"""Finds the benchmarks that a change cannot have affected: watches them in both arms, and compares with the change."""

from pytest_jarvisperf.affected.selection import unaffected

__all__ = ["unaffected"]
