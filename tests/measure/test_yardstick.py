"""Tests the yardstick on a simulated clock."""

from __future__ import annotations

import gc
import itertools

import pytest

from jarvisperf.measure.yardstick import CALLS_PER_TICK, Yardstick, allocate, interpret, reference_workloads


class Machine:
    """A clock, and two workloads that take as long as the test says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.factor = 1.0
        self.calls = 0

    def clock(self) -> float:
        return self.now

    def quick(self) -> None:
        self.calls += 1
        self.now += 0.001 * self.factor

    def slow(self) -> None:
        self.now += 0.004 * self.factor

    def yardstick(self) -> Yardstick:
        return Yardstick(self.clock, {"quick": self.quick, "slow": self.slow})


def test_a_tick_measures_each_workload():
    machine = Machine()
    reading = machine.yardstick().tick()
    assert reading.seconds == pytest.approx({"quick": 0.001, "slow": 0.004})
    assert reading.when == machine.now
    assert machine.calls == CALLS_PER_TICK


def test_one_interruption_does_not_count():
    machine = Machine()
    pauses = itertools.chain([0.5], itertools.repeat(0.0))

    def interrupted() -> None:
        machine.now += 0.001 + next(pauses)

    assert Yardstick(machine.clock, {"work": interrupted}).tick().seconds["work"] == pytest.approx(0.001)


def test_the_summary_is_of_the_whole_run():
    machine = Machine()
    yardstick = machine.yardstick()
    for factor in (1.0, 2.0, 5.0):
        machine.factor = factor
        yardstick.tick()
    assert yardstick.summary()["slow"].median == pytest.approx(0.008)
    assert yardstick.summary()["slow"].samples == 3


def test_only_the_readings_around_a_benchmark_count():
    machine = Machine()
    yardstick = machine.yardstick()
    yardstick.tick()
    machine.now += 60.0
    machine.factor = 2.0
    oldest = yardstick.refresh(1, seconds=0.5)
    machine.now += 2.0
    machine.factor = 4.0
    yardstick.refresh(1, seconds=0.5)
    assert yardstick.since(oldest) == pytest.approx({"quick": 0.003, "slow": 0.012})


def test_short_benchmarks_that_follow_each_other_share_their_readings():
    machine = Machine()
    yardstick = machine.yardstick()
    places = []
    for _ in range(100):  # of 10 ms each, so one second in total
        places.append(yardstick.refresh(3, seconds=0.5))
        machine.now += 0.010
        yardstick.refresh(3, seconds=0.5)
    assert len(yardstick) < 12
    readings = yardstick.readings()
    assert all(yardstick.since(place).keys() == {"quick", "slow"} for place in places)
    assert machine.now - readings[-1].when <= 0.5 + 0.010


def test_a_machine_too_slow_for_recent_readings_takes_no_more_of_them_than_asked_for():
    machine = Machine()
    machine.factor = 1000.0
    yardstick = machine.yardstick()
    assert yardstick.refresh(3, seconds=0.5) == 0
    assert len(yardstick) == 3


def test_without_a_reading_there_is_no_summary():
    assert Machine().yardstick().summary() == {}
    assert Machine().yardstick().readings() == []


@pytest.mark.parametrize(("ticks", "at_most", "count"), [(5, 10, 5), (10, 10, 10), (1000, 10, 10), (7, 1, 1)])
def test_the_readings_given_are_bounded_and_in_order(ticks: int, at_most: int, count: int):
    yardstick = Machine().yardstick()
    taken = [yardstick.tick() for _ in range(ticks)]
    given = yardstick.readings(at_most)
    assert len(given) == count
    assert given[0] == taken[0]
    assert given[-1] == taken[-1] or at_most == 1
    assert [reading.when for reading in given] == sorted(reading.when for reading in given)


def test_the_workloads_do_the_same_work_every_time():
    assert interpret() == interpret() == 1500
    assert allocate() == allocate() == 2000


def test_the_workloads_leave_the_garbage_collector_alone():
    workloads = reference_workloads().values()
    gc.collect()
    before = gc.get_count()[0]
    for work in workloads:
        for _ in range(100):
            work()
    assert gc.get_count()[0] - before < 20


def test_a_real_tick_takes_less_than_a_second():
    reading = Yardstick().tick()
    assert set(reading.seconds) == {"interpreter", "memory", "allocation", "hashing"}
    assert all(0 < seconds < 1 for seconds in reading.seconds.values())
