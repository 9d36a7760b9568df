"""Slows a program down in many ways and asks who is guilty: `python -m benchmarks.gate_lab.culprits --help`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.gate_lab.culprits.changes import CHANGES
from benchmarks.gate_lab.culprits.trial import Trial, run_trial
from benchmarks.profile_lab.__main__ import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS = Path(__file__).with_name("trials.jsonl")


def main(argv: Sequence[str] | None = None) -> None:
    """Run trials, and print the table of all there are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate_lab.culprits", description=__doc__)
    parser.add_argument(
        "--slowdown", type=float, default=0.03, help="slowdown of the whole program, as a share (default: 0.03)"
    )
    parser.add_argument(
        "--seconds", type=float, default=0.0, help="start no trial after this many seconds; 0: only print the table"
    )
    parser.add_argument("--kinds", nargs="+", choices=CHANGES, metavar="KIND", help="only these kinds of change")
    parser.add_argument("--out", type=Path, default=RESULTS, help="file that trials are appended to and read from")
    words = parser.parse_args(argv)
    end = time.monotonic() + words.seconds
    done = _read(words.out)
    while time.monotonic() < end:
        counts = Counter(dict.fromkeys(words.kinds or CHANGES, 0))
        counts.update(one.kind for one in done if one.slowdown == words.slowdown and one.kind in counts)
        kind = min(counts, key=lambda one: counts[one])
        known = next((one.n for one in done if (one.kind, one.slowdown) == (kind, words.slowdown)), None)
        trial = run_trial(kind, words.slowdown, known)
        with words.out.open("ab") as file:
            file.write(msgspec.json.encode(trial) + b"\n")
        done.append(trial)
    sys.stdout.write("\n".join([*_table(done), ""]))


def _read(file: Path) -> list[Trial]:
    lines = file.read_bytes().splitlines() if file.exists() else []
    return [msgspec.json.decode(line, type=Trial) for line in lines]


def _table(trials: Sequence[Trial]) -> list[str]:
    lines = ["| slowdown | kind of change | trials | guilty function first | share known | mistaken for |"]
    lines += ["|---|---|---|---|---|---|"]
    for slowdown in sorted({one.slowdown for one in trials}):
        ours = [one for one in trials if one.slowdown == slowdown]
        for kind in [*dict.fromkeys(one.kind for one in ours)]:
            lines.append(_row(slowdown, kind, [one for one in ours if one.kind == kind]))
        low, high = wilson(sum(one.is_right for one in ours), len(ours))
        lines.append(f"{_row(slowdown, 'all', ours)} 95 % interval {low:.1%} to {high:.1%} |")
    return lines


def _row(slowdown: float, kind: str, trials: Sequence[Trial]) -> str:
    right = sum(one.is_right for one in trials)
    known = sum(one.share is not None for one in trials)
    wrong = Counter(one.first or "nothing" for one in trials if not one.is_right)
    named = ", ".join(f"{name} ({count})" for name, count in wrong.items())
    return f"| {slowdown:.0%} | {kind} | {len(trials)} | {right} | {known} | {named or 'nobody'} |"


if __name__ == "__main__":
    main()
