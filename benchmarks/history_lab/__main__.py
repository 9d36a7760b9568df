"""Prints the table of docs/explanation/history.md: `python -m benchmarks.history_lab`.

Simulated histories have known distributions. The recorded ones are 100 runs of the same 14 benchmarks, 10 seconds apart
on a shared and busy virtual machine (see recorded.json): once in the order of their making, when the machine was slower
for minutes at a time, and once shuffled, as runs that are hours apart would meet it.
"""

from __future__ import annotations

import json
import math
import random
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.history.change_points import change_points

if TYPE_CHECKING:
    from collections.abc import Callable

HISTORIES = 1_000
LENGTHS = (20, 50, 100)
DEVIATION = 0.05
STEPS = (0.05, 0.10, 0.20)
NEAR = 2  # runs away from the true place that still count as found
RECORDED = Path(__file__).with_name("recorded.json")


def normal(length: int, source: random.Random) -> list[float]:
    """Draw independent runs with a normal deviation."""
    return [math.exp(source.gauss(0, DEVIATION)) for _ in range(length)]


def heavy(length: int, source: random.Random) -> list[float]:
    """Draw independent runs with Student's t with 3 degrees of freedom: wild runs are common."""
    return [
        math.exp(DEVIATION * source.gauss(0, 1) / math.sqrt(source.gammavariate(1.5, 2) / 3)) for _ in range(length)
    ]


def bad_nights(length: int, source: random.Random) -> list[float]:
    """Draw runs of which one in twenty is slower by eight deviations."""
    return [value * (math.exp(8 * DEVIATION) if source.random() < 0.05 else 1) for value in normal(length, source)]


def lingering(length: int, source: random.Random) -> list[float]:
    """Draw runs of which each takes 0.3 of its deviation from the one before."""
    values, last = [], 0.0
    for _ in range(length):
        last = 0.3 * last + source.gauss(0, DEVIATION)
        values.append(math.exp(last))
    return values


def recorded(*, shuffled: bool) -> Callable[[int, random.Random], list[float]]:
    """Cut pieces out of the recorded runs."""
    series: dict[str, list[float]] = json.loads(RECORDED.read_text(encoding="utf-8"))["medians"]

    def piece(length: int, source: random.Random) -> list[float]:
        values = list(source.choice(list(series.values())))
        if shuffled:
            source.shuffle(values)
        start = source.randrange(len(values) - length + 1)
        return values[start : start + length]

    return piece


def alarms(make: Callable[[int, random.Random], list[float]], length: int) -> float:
    """Return the share of histories without a change in which one is found."""
    source = random.Random(length)  # noqa: S311  # a simulation
    return statistics.fmean(bool(change_points(make(length, source))) for _ in range(HISTORIES))


def found(step: float, length: int) -> float:
    """Return the share of changes in the middle of a history that are found within two runs."""
    source = random.Random(length)  # noqa: S311  # a simulation
    hits = []
    for _ in range(HISTORIES):
        values = normal(length, source)
        changed = [value * (1 + step) if place >= length // 2 else value for place, value in enumerate(values)]
        hits.append(any(abs(place - length // 2) <= NEAR for place in change_points(changed)))
    return statistics.fmean(hits)


def main() -> None:
    """Print both tables."""
    kinds = {
        "normal distribution, standard deviation 5 %": normal,
        "heavy tails (t, 3 degrees of freedom)": heavy,
        "one outlier in twenty runs (8 standard deviations)": bad_nights,
        "autocorrelated (0.3)": lingering,
        "recorded, shuffled": recorded(shuffled=True),
        "recorded, in their original order, 10 s apart": recorded(shuffled=False),
    }
    lines = [
        f"| false alarms in unchanged histories | {' | '.join(f'{length} runs' for length in LENGTHS)} |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {' | '.join(f'{alarms(make, length):.1%}' for length in LENGTHS)} |"
        for name, make in kinds.items()
    ]
    lines += [
        "",
        f"| steps found, standard deviation 5 % | {' | '.join(f'{length} runs' for length in LENGTHS)} |",
        "|---|---|---|---|",
    ]
    lines += [f"| {step:.0%} | {' | '.join(f'{found(step, length):.0%}' for length in LENGTHS)} |" for step in STEPS]
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
