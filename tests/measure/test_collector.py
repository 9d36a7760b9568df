"""Tests when garbage is collected around measurements, with a simulated clock and collector."""

from __future__ import annotations

import gc

from jarvisperf.measure.collector import FULL_COLLECTION_SHARE, Collections, collector_paused


class Process:
    """A process whose full collections take 50 ms, and young ones no time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.generations: list[int] = []

    def clock(self) -> float:
        return self.now

    def collect(self, generation: int) -> None:
        self.generations.append(generation)
        self.now += 0.050 if generation == 2 else 0.0


def test_full_collections_take_a_small_share_of_the_time_however_many_benchmarks_there_are():
    process = Process()
    collections = Collections(process.clock, process.collect)
    begin = process.now
    for _ in range(2000):
        collections.collect()
        process.now += 0.020
    assert len(process.generations) == 2000
    assert process.generations[0] == 2
    full = process.generations.count(2)
    assert full >= 2
    assert full * 0.050 <= 0.050 + FULL_COLLECTION_SHARE * (process.now - begin)


def test_long_benchmarks_begin_with_a_full_collection_each():
    process = Process()
    collections = Collections(process.clock, process.collect)
    for _ in range(5):
        collections.collect()
        process.now += 10.0
    assert process.generations == [2] * 5


def test_young_garbage_is_gone_before_anything_is_measured():
    class Knot:
        alive = 0

        def __init__(self) -> None:
            self.me = self
            Knot.alive += 1

        def __del__(self) -> None:
            Knot.alive -= 1

    for _ in range(3):
        Knot()
        with collector_paused():
            assert Knot.alive == 0
            assert not gc.isenabled()
    assert gc.isenabled()
