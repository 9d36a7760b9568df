"""Ratios, intervals, verdicts; lockstep measuring."""
