"""Tests that every metric provides what harnesses, gate, reports and command line need."""

from __future__ import annotations

import gc
import math
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.measure.metrics import (
    BUILT_IN,
    BYTES,
    SECONDS,
    TIME,
    MetricKind,
    Metrics,
    OfProcesses,
    OfSingleCalls,
    OfTimedCalls,
    Unit,
    count_of,
)
from jarvisperf.measure.metrics.allocations import WHAT_IS_LEFT
from jarvisperf.measure.metrics.units import unit_of
from jarvisperf.measure.startup import Command, measure_processes
from jarvisperf.measure.targets import FunctionTarget, SetUpTarget

KINDS = list(BUILT_IN)
UNITS = [SECONDS, BYTES, count_of("blocks")]
ARGUMENTS: dict[str, Any] = {"startup": [sys.executable, "-S", "-c", "pass"], "import_time": "json"}
VALUES = st.floats(min_value=0, max_value=1e30)


def command_of(kind: MetricKind) -> tuple[OfProcesses, Command]:
    assert isinstance(kind.measurement, OfProcesses)
    return kind.measurement, kind.measurement.command(ARGUMENTS[kind.name])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_metric_answers_what_gate_and_reports_ask(kind: MetricKind):
    assert BUILT_IN[kind.name] is kind
    assert BUILT_IN.of(kind.name, kind.unit.symbol) is kind
    assert unit_of(kind.unit.symbol).symbol == kind.unit.symbol
    assert kind.axis_label
    assert 0 < kind.floor_deviation < kind.prior_deviation < 1
    assert 0 < kind.threshold == BUILT_IN.thresholds[kind.name] < 1
    assert all(value > 0 for value in kind.counted([1e-3, 1.0])), "a ratio needs values above 0"
    assert kind.measurement or any(kind in other.also for other in KINDS)
    taken = kind.metric([3.0, 1.0, 2.0], "a method")
    assert (taken.unit, taken.better, taken.method) == (kind.unit.symbol, kind.better, "a method")
    assert taken.summary.median == 2.0


@pytest.mark.parametrize(
    "name",
    # Instructions are counted in other processes (test_instructions.py), and quality needs targets that return it.
    [
        kind.name
        for kind in KINDS
        if isinstance(kind.measurement, OfSingleCalls) and kind.name not in {"instructions", "quality"}
    ],
)
@pytest.mark.parametrize("target", [FunctionTarget(lambda: bytearray(100_000)), SetUpTarget(bytearray, (100_000,))])
def test_every_metric_of_single_calls_has_a_value_and_a_method_for_each_figure(name: str, target: FunctionTarget):
    kind = BUILT_IN[name]
    assert isinstance(kind.measurement, OfSingleCalls)
    methods = kind.measurement.methods()
    values = kind.measurement.values(target, methods)
    assert len(methods) == len(values) == len(kind.together)
    assert all(0 <= value < math.inf for value in values)
    assert gc.isenabled()


@pytest.mark.parametrize("name", [kind.name for kind in KINDS if isinstance(kind.measurement, OfProcesses)])
def test_every_metric_of_processes_has_a_value_and_a_method_for_each_figure(name: str):
    measurement, command = command_of(BUILT_IN[name])
    for values in measure_processes(command, 0, measurement.values):
        assert len(measurement.methods) == len(values) == len(BUILT_IN[name].together)
        assert all(0 < value < math.inf for value in values)


def test_only_time_is_sampled_in_turns():
    assert [kind for kind in KINDS if isinstance(kind.measurement, OfTimedCalls)] == [TIME]
    assert BUILT_IN.of_calls == ("time", "memory", "allocations", "quality", "instructions")
    assert BUILT_IN.measurable == ("memory", "startup", "allocations", "import_time", "quality", "instructions")


@pytest.mark.parametrize("methods", [("memray",) * 2, (WHAT_IS_LEFT,) * 2], ids=["memray", "tracemalloc"])
def test_blocks_are_counted_alike_call_by_call(methods: tuple[str, ...]):
    measurement = BUILT_IN["allocations"].measurement
    assert isinstance(measurement, OfSingleCalls)

    def counted(count: int) -> list[float]:
        target = FunctionTarget(lambda: [object() for _ in "." * count])
        # The minimum of three, because other threads of the test process allocate occasionally.
        return [min(figures) for figures in zip(*(measurement.values(target, methods) for _ in range(3)), strict=True)]

    counted(10)
    blocks, size = counted(1_000)
    assert blocks == pytest.approx(1_000, abs=100)
    assert 16_000 < size < 200_000
    assert counted(2_000)[0] - blocks == pytest.approx(1_000, abs=100)


def test_blocks_that_memray_counts_are_those_of_the_call_alone():
    measurement = BUILT_IN["allocations"].measurement
    assert isinstance(measurement, OfSingleCalls)
    made = SetUpTarget(len, setup=lambda: (([object() for _ in range(10_000)],), {}))
    for target in (FunctionTarget(lambda: None), made):
        measurement.values(target, ("memray", "memray"))
        counted = [measurement.values(target, ("memray", "memray"))[0] for _ in range(3)]
        assert min(counted) <= 10, "threads that other tests left behind may allocate during one of them"


def test_the_time_of_an_import_contains_those_of_its_own_imports():
    measurement, command = command_of(BUILT_IN["import_time"])
    lines = "import time: self [us] | cumulative | imported package\nimport time: 5 | 5 |   json.decoder\nhello\n"
    (seconds,) = measurement.values(None, command, lambda: f"{lines}import time: 7 | 1234 | json\n")  # type: ignore[arg-type]
    assert seconds == pytest.approx(0.001234)
    with pytest.raises(ValueError, match="'json' is built into the interpreter"):
        measurement.values(None, command, lambda: lines)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("module", "error"), [(5, TypeError), ("a b", ValueError), ("a; b", ValueError), ("", ValueError)]
)
def test_what_is_no_name_of_a_module_is_refused(module: Any, error: type[Exception]):
    measurement, _ = command_of(BUILT_IN["import_time"])
    with pytest.raises(error, match="json"):
        measurement.command(module)


@given(VALUES, st.sampled_from(UNITS))
def test_values_are_short_and_limits_are_read_in_the_unit(value: float, unit: Unit):
    assert 0 < len(unit.text(value)) <= 30
    for symbol, size in unit.read.items():
        if 1e-300 < value * size < math.inf:
            assert unit.parse(f"{value!r}{symbol}".replace("e+", "e")) == pytest.approx(value * size)


@pytest.mark.parametrize(("text", "limit"), [(1000, 1000), ("1000", 1000), ("12 blocks", 12), (0, 0), (2.5, 2.5)])
def test_limits_of_a_count_need_no_unit(text: object, limit: float):
    assert count_of("blocks").parse(text) == limit


@pytest.mark.parametrize("text", [-1, True, math.inf, math.nan, "5 calls", "many", None])
def test_what_is_no_count_is_refused(text: object):
    with pytest.raises(ValueError, match="give a number like 1000 or '1000 blocks'"):
        count_of("blocks").parse(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 blocks"),
        (12.0, "12 blocks"),
        (1234.4, "1,234 blocks"),
        (2_500_000, "2.500 M blocks"),
        (0.4, "0.4000 blocks"),  # per call; "0 blocks" would not add up with the change
    ],
)
def test_counts_have_digits_behind_the_point_only_if_they_would_be_missed(value: float, text: str):
    assert count_of("blocks").text(value) == text


def test_a_metric_that_nothing_defines_here_is_described_by_its_unit():
    stored = BUILT_IN.of("joules", "J")
    assert (stored.name, stored.unit.text(3), stored.follows_machine) == ("joules", "3 J", False)
    assert BUILT_IN.of("time", "ticks").unit.symbol == "ticks", "another plugin's time is another metric"
    assert BUILT_IN.of("cpu time", "s").follows_machine


def test_two_metrics_of_one_name_are_refused():
    other = MetricKind(name="time", unit=BYTES, axis_label="another")
    with pytest.raises(ValueError, match="two metrics have the name 'time'"):
        BUILT_IN.with_kinds([other])
    assert [kind.name for kind in Metrics([TIME, TIME])] == ["time"]


@pytest.mark.parametrize("name", ["", "two words", "max_speed"])
def test_a_name_that_no_marker_could_have_is_refused(name: str):
    with pytest.raises(ValueError, match="a metric's name is an identifier"):
        Metrics([MetricKind(name=name, unit=SECONDS, axis_label="a label")])
    assert BUILT_IN.of(name, "s").name == name, "a stored run may have it"
