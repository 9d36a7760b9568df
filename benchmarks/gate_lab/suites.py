"""What is compared: suites of functions, some of which become slower by a known factor."""

from __future__ import annotations

import random
from typing import Literal

import msgspec

from benchmarks.gate_lab.kinds import FINE_SCALE, kinds, scales

Scenario = Literal["aa", "mixed"]

SUITE_SIZE = 12
USUAL_THRESHOLD = 0.02
FINE_BELOW = 0.02  # thresholds that need factors of half a per cent
MIXED_FACTORS = {
    0.005: (1.0, 1.0, 1.0, 1.0, 1.005, 1.01, 1.01, 1.01, 1.02, 0.99, 0.99, 0.99),
    0.01: (1.0, 1.0, 1.0, 1.0, 1.01, 1.015, 1.015, 1.02, 1.02, 1.05, 0.98, 0.98),
    0.02: (1.0, 1.0, 1.0, 1.0, 1.02, 1.03, 1.03, 1.05, 1.05, 1.10, 0.95, 0.95),
    0.05: (1.0, 1.0, 1.0, 1.0, 1.05, 1.07, 1.10, 1.10, 1.10, 1.20, 0.90, 0.90),
}


class Case(msgspec.Struct, frozen=True):
    """One function.

    Attributes:
        kind: The kind of work.
        scale: How large a call is.
        factor: How many times the base's work the head does.
    """

    kind: str
    scale: int
    factor: float


class Suite(msgspec.Struct, frozen=True):
    """The functions that one run compares.

    Attributes:
        name: Its scenario, its threshold if not the usual one, and its number.
        scenario: What happens to the functions.
        cases: The functions.
        threshold: The smallest change, as a share, that counts as one.
    """

    name: str
    scenario: Scenario
    cases: tuple[Case, ...]
    threshold: float = USUAL_THRESHOLD


def draw_suite(scenario: Scenario, number: int, threshold: float = USUAL_THRESHOLD) -> Suite:
    """Draw a suite; the same number gives the same suite.

    Args:
        scenario: `aa`: head equals base; `mixed`: four functions do, the others are slower or faster.
        number: Which one.
        threshold: One of those in `MIXED_FACTORS`, as a share.
    """
    of_threshold = "" if threshold == USUAL_THRESHOLD else f"{threshold:.1%}-"
    name = f"{scenario}-{of_threshold}{number:04d}"
    draw = random.Random(name)  # noqa: S311  # repeatable, not secret
    chosen = draw.sample(kinds(), SUITE_SIZE)
    factors = list(MIXED_FACTORS[threshold]) if scenario == "mixed" else [1.0] * SUITE_SIZE
    draw.shuffle(factors)
    smallest = FINE_SCALE if threshold < FINE_BELOW else 1
    cases = [
        Case(kind, draw.choice(scales(kind, smallest)), factor) for kind, factor in zip(chosen, factors, strict=True)
    ]
    return Suite(name, scenario, tuple(cases), threshold)
