"""Tests profiles of real functions by every engine, and the difference between two profiles."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from profiled_work import outer_of

from jarvisperf.measure.profiling import collect_calls, profile_function
from jarvisperf.measure.targets import FunctionTarget
from jarvisperf.profiles.by_profile_function import profile_of_calls
from jarvisperf.profiles.difference import blamed, costs
from jarvisperf.profiles.engines import ENGINES, ProfileError, slices_for, take_sliced
from jarvisperf.profiles.flame import boxes
from jarvisperf.profiles.model import MOST_STACKS, Frame, Profile, profile_of, scaled

ROOTS = [Path(__file__).parents[1]]
SECONDS = 0.3


def taken(engine: str, work: int) -> Profile:
    return take_sliced(FunctionTarget(outer_of(work)), ROOTS, engine=engine, seconds=SECONDS).profile  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_names_the_functions_of_the_project(engine: str, require):
    if engine == "memray":
        require("memray")
    profile = taken(engine, 2_000)
    own = {frame.function for frame in profile.frames if frame.own}
    assert {"inner"} <= own if engine != "memray" else {"outer"} <= own
    assert profile.total > 0
    assert not any("pytest" in frame.file for frame in profile.frames), "what called the target is left out"


@pytest.mark.parametrize("engine", ["pyinstrument", "cprofile", "profile_function"])
def test_the_function_that_became_slower_stands_first(engine: str):
    # The work is 98 % of a call, so a moment in which another process had the processor falls into it.
    base, head = taken(engine, 10_000), taken(engine, 80_000)
    first = costs(head, base)[0]
    assert first.function == "inner"
    assert first.share > 0.5
    if engine == "pyinstrument":
        # It samples when a function is called or returns, so a loop without calls is seen at its function's end.
        text = (Path(__file__).parents[1] / "profiled_work.py").read_text().splitlines()[first.line - 1]
        assert text.strip() in {"for number in range(rounds):", "total += number * number", "return total"}


def test_memory_is_counted_where_it_was_allocated(require):
    require("memray")
    profile = take_sliced(FunctionTarget(lambda: outer_of(10)() and bytearray(3 << 20)), ROOTS, engine="memray").profile
    assert profile.unit == "B"
    assert profile.total > 3 << 20
    assert costs(profile)[0].function == "<lambda>"


def frame(name: str, line: int = 1, *, own: bool = True) -> Frame:
    return Frame(name, "pkg.py" if own else "json/__init__.py", line, own)


def made(weights: dict[tuple[Frame, ...], float]) -> Profile:
    return profile_of("pyinstrument", "s", weights, iterations=1, samples=1)


def test_what_a_library_does_counts_for_the_function_that_called_it():
    assert blamed((frame("a"), frame("b"), frame("dumps", own=False))).function == "b"
    assert blamed((frame("main", own=False), frame("dumps", own=False))).function == "dumps"


def test_a_generator_expression_counts_for_its_function_with_its_line():
    found = blamed((frame("a", 3), frame("<genexpr>", 4)))
    assert (found.function, found.line) == ("a", 4)


def test_shares_of_the_change_add_up_and_the_line_that_grew_is_named():
    base = made({(frame("a", 1),): 1.0, (frame("a", 2),): 1.0, (frame("b"),): 2.0})
    head = made({(frame("a", 1),): 1.0, (frame("a", 2),): 4.0, (frame("c"),): 3.0})
    found = {cost.function: cost for cost in costs(head, base)}
    assert sum(cost.share for cost in found.values()) == pytest.approx(1)
    assert (found["a"].change, found["a"].line) == (3.0, 2)
    assert (found["b"].head, found["b"].base) == (0, 2.0)
    assert next(iter(costs(head, base))).change == 3.0


def test_where_it_became_faster_the_function_that_gained_most_stands_first():
    base, head = made({(frame("a"),): 5.0, (frame("b"),): 1.0}), made({(frame("a"),): 1.0, (frame("b"),): 2.0})
    assert costs(head, base)[0].function == "a"


def test_totals_come_from_the_measurement():
    assert scaled(made({(frame("a"),): 1.0, (frame("b"),): 3.0}), 8.0).total == pytest.approx(8)


def test_a_flame_graph_fills_its_width_and_knows_the_base():
    base = made({(frame("a"),): 1.0, (frame("a"), frame("b")): 1.0})
    head = made({(frame("a"),): 1.0, (frame("a"), frame("b")): 3.0})
    first, second = boxes(head, base)
    assert (first.frame.function, first.width, first.head, first.base) == ("a", 1.0, 4.0, 2.0)
    assert (second.frame.function, second.depth, second.width) == ("b", 1, 0.75)


def test_a_profile_stays_small():
    weights = {(frame(f"f{number}"),): float(number) for number in range(5 * MOST_STACKS)}
    profile = made(weights)
    assert len(profile.stacks) == MOST_STACKS
    assert len(json.dumps([list(frame) for frame in map(tuple_of, profile.frames)])) < 100_000


def tuple_of(one: Frame) -> tuple[object, ...]:
    return one.function, one.file, one.line, one.own


def test_an_unknown_engine_is_refused_with_those_there_are():
    with pytest.raises(ProfileError, match="choose one of: pyinstrument, cprofile"):
        take_sliced(FunctionTarget(len, ("",)), ROOTS, engine="perf")  # type: ignore[arg-type]


class InterruptedTarget:
    """Its calls take 0.1 ms; the first sample is interrupted by other processes for 50 ms."""

    fixed_iterations = None

    def __init__(self) -> None:
        self.samples_taken = 0

    def sample(self, iterations: int) -> float:
        self.samples_taken += 1
        return iterations * 1e-4 + (0.05 if self.samples_taken == 1 else 0.0)


def test_an_interruption_makes_no_slice_too_short_to_see_anything():
    slices = slices_for(InterruptedTarget(), 1.0, nullcontext)  # type: ignore[arg-type]
    assert slices.iterations * 1e-4 > 0.01
    assert slices.number * slices.iterations * 1e-4 == pytest.approx(1.0, rel=0.05)


def test_calls_of_decorated_functions_are_collected_with_their_callers():
    @profile_function("leaf")
    def leaf() -> None:
        sum(range(10_000))

    @profile_function("top")
    def top() -> None:
        leaf()
        leaf()

    with collect_calls() as calls:
        top()
    leaf()
    assert [call.names for call in calls] == [("top", "leaf"), ("top", "leaf"), ("top",)]
    profile = profile_of_calls(calls)
    assert profile.total == pytest.approx(calls[-1].seconds, rel=0.01)
    assert {frame.function for frame in profile.frames} == {"top", "leaf"}
