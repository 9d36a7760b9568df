"""What is compared: suites of functions, some of which become slower by a known factor."""

from __future__ import annotations

import random
from typing import Literal

import msgspec

from benchmarks.gate_lab.kinds import kinds, scales

Scenario = Literal["aa", "mixed"]

SUITE_SIZE = 12
MIXED_FACTORS = (1.0, 1.0, 1.0, 1.0, 1.02, 1.03, 1.03, 1.05, 1.05, 1.10, 0.95, 0.95)


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
    """The functions that one run compares."""

    name: str
    scenario: Scenario
    cases: tuple[Case, ...]


def draw_suite(scenario: Scenario, number: int) -> Suite:
    """Draw a suite; the same number gives the same suite.

    Args:
        scenario: `aa`: head equals base; `mixed`: four functions do, the others are slower or faster.
        number: Which one.
    """
    name = f"{scenario}-{number:04d}"
    draw = random.Random(name)  # noqa: S311  # repeatable, not secret
    chosen = draw.sample(kinds(), SUITE_SIZE)
    factors = list(MIXED_FACTORS) if scenario == "mixed" else [1.0] * SUITE_SIZE
    draw.shuffle(factors)
    cases = [Case(kind, draw.choice(scales(kind)), factor) for kind, factor in zip(chosen, factors, strict=True)]
    return Suite(name, scenario, tuple(cases))
