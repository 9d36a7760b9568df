"""Runs pytest with the gate's insides written down: one number per launch, and where the time goes.

`python probe.py FILE ARGUMENTS…`; the lab uses it for `run --probe`. It reads the gate's classes, so it may need care
when those change; the lab's figures never depend on it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jarvisperf.gate.lockstep.model import Outcome


def main() -> int:
    """Run pytest as `python -m pytest` would, and write what was seen to the file."""
    file = Path(sys.argv[1])
    sys.path[0] = os.getcwd()  # noqa: PTH109  # what -m does
    import pytest

    seen = _watch()
    status = int(pytest.main(sys.argv[2:]))
    file.write_text(json.dumps(seen), encoding="utf-8")
    return status


def _watch() -> dict[str, Any]:
    from jarvisperf.gate.lockstep import campaign as lockstep
    from jarvisperf.gate.lockstep import launch as pair

    seen: dict[str, Any] = {"launches": 0, "collect_seconds": 0.0, "slices_seconds": 0.0, "benchmarks": {}}
    run, collected, measure_time = lockstep.Lockstep.run, vars(pair)["_collected"], vars(pair)["measure_time"]

    def watched_run(self: lockstep.Lockstep) -> Outcome:
        outcome = run(self)
        seen.update(launches=outcome.launches, seconds=outcome.seconds, trusted=outcome.trusted)
        seen["control"] = outcome.control
        seen["spent"] = dict(self._spent)
        for name, tally in outcome.tallies.items():
            metric = tally.metrics.get("time")
            if metric is not None:
                seen["benchmarks"][name.rpartition("::test_")[2]] = {
                    "log_ratios": metric.log_ratios,
                    "seconds": tally.seconds,
                    "iterations": metric.iterations,
                }
        return outcome

    def watched_collected(*words: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return collected(*words, **named)
        finally:
            seen["collect_seconds"] += time.perf_counter() - start

    def watched_measure(*words: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return measure_time(*words, **named)
        finally:
            seen["slices_seconds"] += time.perf_counter() - start

    lockstep.Lockstep.run = watched_run  # type: ignore[method-assign]
    vars(pair)["_collected"] = watched_collected
    vars(pair)["measure_time"] = watched_measure
    return seen


if __name__ == "__main__":
    sys.exit(main())
