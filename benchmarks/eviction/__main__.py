"""Replay traces and print hit ratios: ``python -m benchmarks.eviction FOLDER [--out FILE]``.

A trace is a file ``NAME.trace.gz`` with one key per line. The memory tier's sketch tells keys apart by their hash,
which Python randomizes in each process. So it is replayed several times with other names for the same keys, and the
table has the mean and the lowest result.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.eviction.policies import POLICIES, JarvisPerf, Policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHARES = (0.01, 0.05, 0.10, 0.20)
RENAMINGS = 5


def read_trace(path: Path) -> list[str]:
    """Return the keys of a trace, in the order of the requests."""
    with gzip.open(path, "rt") as lines:
        return [line.strip() for line in lines if line.strip()]


def hit_ratio(policy: type[Policy], keys: Sequence[str], size: int) -> float:
    """Return the share of requests that find their key, in percent."""
    ask = policy(size).ask
    return 100 * sum(map(ask, keys)) / len(keys)


def measure(name: str, keys: Sequence[str], share: float) -> list[str]:
    """Return one row of the table."""
    size = max(1, int(len(set(keys)) * share))
    fixed = [hit_ratio(policy, keys, size) for policy in POLICIES.values() if policy is not JarvisPerf]
    ours = [hit_ratio(JarvisPerf, [f"{number}:{key}" for key in keys], size) for number in range(RENAMINGS)]
    figures = [*fixed, statistics.mean(ours), min(ours)]
    marks = [f"{figure:.2f}{' ↓' if figure < fixed[0] else ''}" for figure in figures]
    return [name, f"{share:.0%}", str(size), *marks]


def table(folder: Path) -> Iterator[str]:
    """Return the lines of a Markdown table."""
    heads = ["trace", "size", "keys", *POLICIES, "lowest of its runs"]
    yield "| " + " | ".join(heads) + " |"
    yield "| --- |" + " ---: |" * (len(heads) - 1)
    rows = []
    for path in sorted(folder.glob("*.trace.gz")):
        keys = read_trace(path)
        for share in SHARES:
            rows.append(measure(path.name.removesuffix(".trace.gz"), keys, share))
            yield "| " + " | ".join(rows[-1]) + " |"
    means = [f"{statistics.mean(float(row[column].split()[0]) for row in rows):.2f}" for column in range(3, len(heads))]
    below = [str(sum("↓" in row[column] for row in rows)) for column in range(3, len(heads))]
    yield "| " + " | ".join(["mean", "", "", *means]) + " |"
    yield "| " + " | ".join(["below LRU", "", "", *below]) + " |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.eviction", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with NAME.trace.gz files")
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    words = parser.parse_args()
    lines = []
    for line in table(words.folder):
        print(line, flush=True)  # noqa: T201 - the table is the result
        lines.append(line)
    if words.out:
        words.out.write_text(
            "# Hit ratios of eviction policies\n\nIn percent; ↓: below LRU. `python -m benchmarks.eviction` with traces"
            " of the cache literature: 2_pools, loop, multi2, multi3, sprite.\n"
            "The constants of JarvisPerf's policy were chosen on these traces: a fit, not a prediction.\n\n"
            + "\n".join(lines)
            + "\n"
        )


if __name__ == "__main__":
    main()
