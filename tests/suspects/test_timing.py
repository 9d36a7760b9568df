"""Exact times of suspects: which clock ticks fall into which function."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from jarvisperf.measure.targets import FunctionTarget
from jarvisperf.profiles.model import Slices
from jarvisperf.suspects import timing
from jarvisperf.suspects.model import CodeRange
from jarvisperf.suspects.timing import time_suspects

SOURCE = """
def work():
    tick(1)
    outer()
    tick(2)
    try:
        fails()
    except KeyError:
        tick(4)
    return sum(numbers())


def outer():
    tick(10)
    helper()
    inner()


def inner():
    tick(20)
    helper()
    return [tick(1) for _ in range(3)]


def helper():
    tick(100)


def fails():
    tick(1000)
    raise KeyError


def numbers():
    tick(10_000)
    yield 1
    tick(10_000)
    yield 2
"""


class Clock:
    """A clock that only ticks when the program says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def tick(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(timing, "REAL", type("Clocks", (), {"wall": staticmethod(made), "cpu": staticmethod(made)}))
    return made


def times_in(
    folder: Path, clock: Clock, *suspects: str, slices: int = 1, calls: int = 1, seconds: float = 1e9
) -> list[dict[str, float]]:
    """Time functions of the program above."""
    file = folder / "program.py"
    file.write_text(SOURCE)
    names: dict[str, Any] = {"tick": clock.tick}
    exec(compile(SOURCE, str(file), "exec"), names)
    lines = SOURCE.splitlines()
    ranges = []
    for name in suspects:
        first = lines.index(f"def {name}():") + 1
        last = next((number for number in range(first, len(lines)) if lines[number] == ""), len(lines))
        ranges.append(CodeRange(name, "0/program.py", first, last))
    plan = Slices(slices, calls, nullcontext)
    found = time_suspects(FunctionTarget(names["work"]), plan, ranges, [folder], waits=False, seconds=seconds)
    return [{label: wall for label, (wall, _) in one.items()} for one in found.slices]


def test_a_suspect_includes_what_it_calls_except_other_suspects(tmp_path: Path, clock: Clock):
    (alone,) = times_in(tmp_path, clock, "outer")
    assert alone["outer"] == 10 + 100 + 20 + 100 + 3
    (both,) = times_in(tmp_path, clock, "outer", "inner")
    assert (both["outer"], both["inner"]) == (110, 123)
    (helper,) = times_in(tmp_path, clock, "helper")
    assert helper["helper"] == 200


def test_the_rest_has_an_empty_label_and_all_add_up(tmp_path: Path, clock: Clock):
    (found,) = times_in(tmp_path, clock, "outer")
    assert found[""] == 1 + 2 + 1000 + 4 + 20_000
    assert sum(found.values()) == 21_240


def test_a_suspect_that_raises_has_been_left(tmp_path: Path, clock: Clock):
    (found,) = times_in(tmp_path, clock, "fails")
    assert found["fails"] == 1000


def test_a_generator_counts_while_it_runs(tmp_path: Path, clock: Clock):
    (found,) = times_in(tmp_path, clock, "numbers")
    assert found["numbers"] == 20_000


def test_times_are_per_call_in_every_slice(tmp_path: Path, clock: Clock):
    found = times_in(tmp_path, clock, "inner", slices=3, calls=5)
    assert [one["inner"] for one in found] == [123, 123, 123]


def test_watching_that_makes_calls_slow_leaves_calls_out(tmp_path: Path, clock: Clock):
    # A call takes 21,240 s here, so the time allows three of the thousand calls.
    found = times_in(tmp_path, clock, "outer", slices=10, calls=100, seconds=21_240)
    assert len(found) == 3
    assert found[0]["outer"] == 10 + 100 + 20 + 100 + 3
