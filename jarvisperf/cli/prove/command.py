"""`jarvisperf prove`: shows on the user's own suite and machine what the gate finds and how often it is wrong."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from jarvisperf.cli.common import FAILED, FAILURE, OK, CommandError, add_command, add_store, positive
from jarvisperf.cli.printing import out

if TYPE_CHECKING:
    import argparse

    from jarvisperf.cli.common import Subparsers
    from jarvisperf.gate.proof.model import Proof

PYTEST_STATUSES = (OK, FAILED)


def add_commands(commands: Subparsers) -> None:
    """Add the sub-command to the parser."""
    prove = add_command(
        commands,
        "prove",
        _prove,
        "prove the gate on this suite and machine: false alarms, detections by size, the smallest noticeable change",
        "jarvisperf prove --minutes 10 benchmarks",
        "jarvisperf prove --minutes 30 benchmarks -- --jarvis-budget 1 --jarvis-threshold 2%",
        "jarvisperf prove --last                      # shows the newest proof again",
        failed=f"identical code raised an alarm, or nothing was proven; or {FAILURE}",
    )
    prove.add_argument("paths", nargs="*", metavar="PATH", help="benchmarks, and after -- further words for pytest")
    prove.add_argument("--minutes", type=_minutes, default=10.0, metavar="N", help="how long it may take (default: 10)")
    prove.add_argument("--last", action="store_true", help="show the newest proof in the store; measure nothing")
    add_store(prove)


def _minutes(text: str) -> float:
    return positive(text, "a number of minutes above 0, like 10")


def _prove(words: argparse.Namespace) -> int:
    if words.last:
        return _show_last(words.store)
    command = [
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--jarvis-bench"),
        *(f"--jarvis-prove={words.minutes:g}", f"--jarvis-store={words.store}"),
        *words.paths,
    ]
    status = subprocess.run(command, check=False).returncode  # noqa: S603  # this interpreter, the user's own suite
    if status not in PYTEST_STATUSES:
        raise CommandError(f"pytest ended with status {status}; its output says why")
    return status


def _show_last(store: str) -> int:
    import msgspec

    from jarvisperf.gate.proof.model import Proof
    from jarvisperf.report.proof import proof_lines
    from jarvisperf.report.proof.text import headline_of
    from jarvisperf.runs.store import open_store

    place = open_store(store)
    try:
        proof: Proof = msgspec.json.decode(place.newest_proof(), type=Proof)
    except msgspec.DecodeError as error:
        raise CommandError(f"the newest proof in {place.shown} cannot be read: {error}") from None
    out(f"{proof.created}, commit {proof.commit[:12]}, {proof.machine}", *proof_lines(proof), headline_of(proof))
    return OK if proof.is_good else FAILED
