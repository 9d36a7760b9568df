"""Tests counting instructions: with the processor's counters where there are some, otherwise under valgrind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jarvisperf.measure.metrics import instruction_counters
from jarvisperf.measure.metrics.instruction_counters import (
    ADVICE,
    HARDWARE,
    NOT_HERE,
    VALGRIND,
    CountingWay,
    method_here,
    method_of_arms,
    way_to_count,
)

PROGRAM = """
import json, sys
from jarvisperf.measure.metrics.instructions import INSTRUCTIONS
from jarvisperf.measure.targets import FunctionTarget

def work(n):
    text = ""
    for _ in range(n):
        text = "a"
    return text

methods = INSTRUCTIONS.measurement.methods()
print(json.dumps([methods[0], *INSTRUCTIONS.measurement.values(FunctionTarget(work, (int(sys.argv[1]),)), methods)]))
"""


@pytest.fixture
def way(tmp_path: Path) -> CountingWay:
    found = way_to_count(tmp_path)
    if found is None and not os.environ.get("JARVISPERF_REQUIRE_ALL"):
        pytest.skip(ADVICE)
    assert found is not None, ADVICE
    return found


def counted(way: CountingWay, rounds: int) -> float:
    """Count the instructions of a loop in a process of its own."""
    done = subprocess.run(
        [*way.words, sys.executable, "-c", PROGRAM, str(rounds)],
        env={**os.environ, **way.variables, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    method, count = json.loads(done.stdout)
    assert method == way.method
    return float(count)


def test_a_count_is_exact_and_grows_with_the_work(way: CountingWay):
    few, again, many = counted(way, 1_000), counted(way, 1_000), counted(way, 1_100)
    assert few == pytest.approx(again, rel=1e-3 if way.method == HARDWARE else 0)
    assert many / few == pytest.approx(1.1, rel=0.05)


def test_without_counters_and_valgrind_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(instruction_counters, "_has_hardware_counter", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert method_of_arms() is None
    assert way_to_count(Path()) is None
    with pytest.raises(ValueError, match="valgrind is not installed; install it, for example with: apt install"):
        method_here()


def test_a_process_that_does_not_run_under_valgrind_says_how_to_count(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(instruction_counters, "_has_hardware_counter", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/valgrind")
    with pytest.raises(ValueError, match="--jarvis-metrics instructions"):
        method_here()
    assert NOT_HERE.endswith("--jarvis-metrics instructions")


def test_hardware_counters_need_no_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(instruction_counters, "_has_hardware_counter", lambda: True)
    assert way_to_count(tmp_path) == CountingWay(HARDWARE)
    assert method_here() == HARDWARE


def test_valgrind_counts_only_when_told_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(instruction_counters, "method_of_arms", lambda: VALGRIND)
    found = way_to_count(tmp_path)
    assert found is not None
    assert {"valgrind", "--tool=callgrind", "--instr-atstart=no"} <= set(found.words)
    assert found.variables == {"_JARVISPERF_CALLGRIND": str(tmp_path)}
