"""Simulate a service whose results were all cached at once: ``python -m benchmarks.stampede [--out FILE]``.

1,000 results are cached when the service starts, with a time to live of 10 minutes. Then it gets 200 requests a second,
each for one of them at random, for an hour. The cache is the real one; only its clock is simulated, so the figures do
not depend on the machine. The time before the first expiry does not count.
"""

from __future__ import annotations

import argparse
import math
import random
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.cache import SmartCache, cached
from jarvisperf.cache.testing import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = 1_000
TTL_SECONDS = 600
REQUESTS_PER_SECOND = 200
SECONDS = 3_600
JITTERS = (0.0, 0.05, 0.1, 0.2, 0.5)
SEED = 20261130
HEAD = """# What jitter does to a stampede

`python -m benchmarks.stampede`: 1,000 results, cached at once with a time to live of 10 minutes; then 200 requests a
second for an hour, each for one of them at random. Computations are counted from the first expiry on.

"""


def computations(jitter: float) -> list[int]:
    """Return how many results are computed in each second from the first expiry on."""
    random.seed(SEED)
    requests = random.Random(SEED)  # noqa: S311 - a simulation; the same requests for each jitter
    clock = Clock()
    computed: Counter[int] = Counter()
    with SmartCache(None, None, clock=clock) as cache:
        start = clock()

        @cached(ttl=TTL_SECONDS, jitter=jitter, key_prefix="stampede", cache=cache)
        def load(number: int) -> int:
            computed[int(clock() - start)] += 1
            return number

        for number in range(RESULTS):
            load(number)
        for _ in range(SECONDS):
            for _ in range(REQUESTS_PER_SECOND):
                clock.advance(1 / REQUESTS_PER_SECOND)
                load(requests.randrange(RESULTS))
    first = int(TTL_SECONDS * (1 - jitter))
    return [computed[second] for second in range(first, SECONDS)]


def table() -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    heads = ["jitter", "worst second", "share of its requests that compute", "worst 1 % of seconds", "average second"]
    yield "| " + " | ".join(heads) + " |"
    yield "| ---: " * len(heads) + "|"
    for jitter in JITTERS:
        counts = sorted(computations(jitter), reverse=True)
        worst, worst_percent = counts[0], counts[math.ceil(len(counts) / 100) - 1]
        share = worst / REQUESTS_PER_SECOND
        yield f"| {jitter:.0%} | {worst} | {share:.0%} | {worst_percent} or more | {sum(counts) / len(counts):.1f} |"


def main() -> None:
    """Print the table, and write it to a file if one is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    lines = []
    for line in table():
        print(line, flush=True)  # noqa: T201 - the result of a program
        lines.append(line)
    if arguments.out:
        arguments.out.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
