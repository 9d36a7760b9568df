"""Slows one function down and asks the difference of profiles which: `python -m benchmarks.profile_lab --help`.

The functions are the gate lab's kinds of work: once alone, as the gate lab's benchmarks call them, and once one of
four, each called so often that all take about equally long; then a slowdown of 25 % of one is 6 % of the whole.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.profile_lab.trial import Trial, run_trial

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS = Path(__file__).with_name("trials.jsonl")


def main(argv: Sequence[str] | None = None) -> None:
    """Run trials, and print the table of all there are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile_lab", description=__doc__)
    parser.add_argument("--together", type=int, default=4, help="functions that are called together (4)")
    parser.add_argument("--factor", type=float, default=1.25, help="how many times as long the guilty one takes (1.25)")
    parser.add_argument(
        "--seconds", type=float, default=0.0, help="start no trial after this many seconds; 0: only print the table"
    )
    parser.add_argument("--most", type=int, default=10_000, help="maximum number of trials")
    parser.add_argument("--out", type=Path, default=RESULTS, help="file that trials are appended to and read from")
    words = parser.parse_args(argv)
    end = time.monotonic() + words.seconds
    done = _read(words.out)
    number = sum((one.together, one.factor) == (words.together, words.factor) for one in done)
    while time.monotonic() < end and number < words.most:
        source = random.Random(f"{words.together} {words.factor} {number}")  # noqa: S311  # what stands together
        trial = run_trial(number, words.together, words.factor, source)
        with words.out.open("ab") as file:
            file.write(msgspec.json.encode(trial) + b"\n")
        done.append(trial)
        number += 1
    sys.stdout.write("\n".join([*_table(done), ""]))


def _read(file: Path) -> list[Trial]:
    lines = file.read_bytes().splitlines() if file.exists() else []
    return [msgspec.json.decode(line, type=Trial) for line in lines]


def _table(trials: Sequence[Trial]) -> list[str]:
    lines = ["| functions together | slowed by | trials | guilty one first | 95 % interval | load | mistaken |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for together, factor in sorted({(one.together, one.factor) for one in trials}):
        ours = [one for one in trials if (one.together, one.factor) == (together, factor)]
        wrong = [f"{one.guilty} ({one.first})" for one in ours if one.first != one.guilty]
        right = len(ours) - len(wrong)
        low, high = wilson(right, len(ours))
        loads = f"{min(one.load for one in ours):g} to {max(one.load for one in ours):g}"
        lines.append(
            f"| {together} | {factor - 1:.0%} | {len(ours)} | {right} ({right / len(ours):.1%}) | {low:.1%} to "
            f"{high:.1%} | {loads} | {', '.join(wrong) or 'none'} |"
        )
    return lines


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson, 1927)."""
    z = 1.96
    centre = (successes + z * z / 2) / (trials + z * z)
    half = z / (trials + z * z) * (successes * (trials - successes) / trials + z * z / 4) ** 0.5
    return centre - half, centre + half


if __name__ == "__main__":
    main()
