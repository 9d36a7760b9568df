"""What a busy cache goes through when a deployment of Redis loses a master.

``python -m benchmarks.redis_lab sentinel`` starts a master, a replica and three Sentinels on this machine; ``cluster``
starts three masters with a replica each, and slots move between two of them all the time. Threads use one cache at a
fixed rate: sets, gets, and invalidations by key, tag and pattern. Then a master is killed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.redis_lab.deployments import cluster_of_six, sentinel_group
from benchmarks.redis_lab.load import INVALIDATIONS
from benchmarks.redis_lab.trial import Outcome, disturb

DEPLOYMENTS = {"sentinel": sentinel_group, "cluster": cluster_of_six}
TARGET_SECONDS = 2.0
_MOST_LINES = 20


def main() -> int:
    """Run the trials and print them; the exit status is 1 if one missed a target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("deployment", choices=DEPLOYMENTS)
    parser.add_argument("--rounds", type=int, default=3, help="number of trials (3)")
    parser.add_argument("--rate", type=int, default=2_000, help="calls per second of all threads (2,000)")
    parser.add_argument(
        "--invalidations", choices=INVALIDATIONS, default="all", help="by key, tag and pattern (all), or by key alone"
    )
    words = parser.parse_args()
    outcomes = []
    for number in range(words.rounds):
        with tempfile.TemporaryDirectory() as folder, DEPLOYMENTS[words.deployment](Path(folder)) as deployment:
            outcome, faults = disturb(deployment, words.rate, words.invalidations)
        outcomes.append(outcome)
        print(f"round {number + 1}: {_told(outcome)}", flush=True)  # noqa: T201 - the figures are the result
        for line in faults[:_MOST_LINES]:
            print(f"  {line}")  # noqa: T201
    worst = max(outcome.after_election for outcome in outcomes)
    bad = sum(outcome.wrong + outcome.resurrected for outcome in outcomes)
    print(  # noqa: T201
        f"worst recovery {worst:.2f} s after the election (target {TARGET_SECONDS:g} s);"
        f" wrong or resurrected values: {bad} (target 0)"
    )
    return 0 if worst <= TARGET_SECONDS and not bad else 1


def _told(outcome: Outcome) -> str:
    return (
        f"new master after {outcome.elected:.2f} s, used {outcome.after_election:.2f} s later;"
        f" {outcome.calls_per_second:,.0f} calls/s, the longest took {outcome.longest_seconds * 1000:.0f} ms;"
        f" {outcome.moves} slots moved; {outcome.wrong} wrong, {outcome.resurrected} resurrected;"
        f" in the end {outcome.kept} writes in Redis, {outcome.lost} lost, {outcome.dropped} of the outage absent,"
        f" {outcome.rejected} rejected"
    )


if __name__ == "__main__":
    sys.exit(main())
