"""The true ratios: how much longer a call takes when its unit is repeated a given percentage more often.

A call costs something beside its units, so the ratio of the work is not quite the ratio of the times. Two witnesses:
instructions, counted by valgrind's callgrind, which no noise touches; and processor time, of calls in one process with
both numbers of repetitions in turns, by a low quantile (calls that nobody disturbed). The instructions are what the lab
judges by: they are exact, and the units are all alike. The times show that a unit costs the same each time.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.gate_lab.kinds import BASE_REPEATS, WORK_FOLDER, kinds

if TYPE_CHECKING:
    from types import ModuleType

FILE = Path(__file__).with_name("true_ratios.json")
FACTOR = 1.10  # the largest: what the units' share of a call is shows best there
PROCESSES = 5
QUANTILE = 0.2
COUNTED_CALLS = 20
CALLGRIND = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]


def true_ratio(kind: str, factor: float) -> float:
    """Return the ratio of times that corresponds to a ratio of work."""
    return 1 + slopes().get(kind, 1.0) * (factor - 1)


def slopes() -> dict[str, float]:
    """Read the measured slopes by kind: (ratio of times - 1) / (ratio of work - 1)."""
    if not FILE.exists():
        return {}
    return {kind: found["slope"] for kind, found in json.loads(FILE.read_bytes())["kinds"].items()}


def verify(seconds: float) -> dict[str, Any]:
    """Measure all kinds by both methods.

    Args:
        seconds: How long to measure processor time, for each kind and process.

    Raises:
        FileNotFoundError: valgrind is not installed.
    """
    found: dict[str, Any] = {}
    few, many = BASE_REPEATS, round(BASE_REPEATS * FACTOR)
    for kind in kinds():
        none, usual, more = (_instructions(kind, repeats) for repeats in (-1, few, many))
        ratios = [json.loads(_python(["time", kind, str(seconds)]))["log_ratio"] for _ in range(PROCESSES)]
        found[kind] = {
            "slope": round((more - usual) / (usual - none) / (FACTOR - 1), 4),
            "slope_of_processor_time": round(math.expm1(statistics.median(ratios)) / (FACTOR - 1), 3),
            "instructions_per_call": (usual - none) // COUNTED_CALLS,
        }
    return {"factor": FACTOR, "processes": PROCESSES, "seconds_each": seconds, "kinds": found}


def processor_time_ratio(kind: str, seconds: float) -> dict[str, float]:
    """Call a kind's function with the usual and with more repetitions in turns, in this process."""
    module = _load(kind)
    few, many = BASE_REPEATS, round(BASE_REPEATS * FACTOR)
    times: dict[int, list[float]] = {few: [], many: []}
    end = time.perf_counter() + seconds
    _timed(module, few)
    while time.perf_counter() < end:
        for repeats in (few, many, many, few):
            times[repeats].append(_timed(module, repeats))
    usual, more = (sorted(times[repeats])[int(len(times[repeats]) * QUANTILE)] for repeats in (few, many))
    return {"log_ratio": math.log(more / usual), "seconds": usual}


def _instructions(kind: str, repeats: int) -> int:
    """Count the instructions of a process that makes some calls; -1 repetitions: no calls."""
    output = _python(["calls", kind, str(repeats)], CALLGRIND)
    found = re.search(r"refs:\s+([\d,]+)", output)
    if found is None:
        raise ValueError(f"callgrind printed no instruction count: {output[-500:]}")
    return int(found[1].replace(",", ""))


def _python(words: list[str], before: list[str] | None = None) -> str:
    command = [*(before or []), sys.executable, "-m", "benchmarks.gate_lab.truth", *words]
    env = {**os.environ, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)  # noqa: S603
    return done.stdout + done.stderr if before else done.stdout


def _call(kind: str, repeats: int) -> None:
    module = _load(kind)
    if repeats < 0:
        return
    module.REPEATS = repeats  # type: ignore[attr-defined]  # every module of the folder has it
    for _ in range(COUNTED_CALLS):
        module.work()


def _timed(module: ModuleType, repeats: int) -> float:
    module.REPEATS = repeats  # type: ignore[attr-defined]  # every module of the folder has it
    start = time.process_time()
    module.work()
    return time.process_time() - start


def _load(kind: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(kind, WORK_FOLDER / f"{kind}.py")
    if spec is None or spec.loader is None:
        raise ValueError(f"{kind!r} is not a kind of work; choose one of: {', '.join(kinds())}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    if sys.argv[1] == "calls":
        _call(sys.argv[2], int(sys.argv[3]))
    else:
        json.dump(processor_time_ratio(sys.argv[2], float(sys.argv[3])), sys.stdout)
