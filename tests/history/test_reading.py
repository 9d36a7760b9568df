"""Tests how stored runs become a history."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import msgspec
import pytest
from builders import MACHINE, metric, run_of

from jarvisperf.history.reading import read_history
from jarvisperf.runs.commit import Commit
from jarvisperf.runs.model import Benchmark
from jarvisperf.runs.store import RunStore, open_store

if TYPE_CHECKING:
    from pathlib import Path

ID = "test_a.py::test_a"
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return open_store(tmp_path / "store", tmp_path)


def save(store: RunStore, number: int, seconds: float, yardstick: float | None = None, **changes: object) -> None:
    benchmark = Benchmark(
        id=ID,
        metrics={"time": metric(seconds * 0.99, seconds, seconds * 1.01)},
        yardstick={} if yardstick is None else {"interpreter": yardstick, "memory": yardstick * 2},
    )
    run = msgspec.structs.replace(
        run_of(benchmark),
        created=(START + datetime.timedelta(days=number)).isoformat(),
        commit=Commit(id=f"{number + 1:040x}", time="", branch="main", dirty=False),
        **changes,
    )
    store.save(run, "main")


def test_a_step_of_the_code_is_found_with_its_commit(store: RunStore):
    for number in range(30):
        save(store, number, 1e-3 * (1.5 if number >= 20 else 1) * (1 + number % 3 / 100))
    history = read_history(store, store.entries())
    (change,) = history.series[ID]["time"].changes
    assert change.ratio == pytest.approx(1.5, rel=0.02)
    assert history.occasions[change.place].created == START + datetime.timedelta(days=20)
    assert history.occasions[change.place].commit == f"{21:040x}"[:12]


def test_what_the_machine_lost_is_no_change_of_the_code(store: RunStore):
    for number in range(30):
        slow = 1.5 if number >= 15 else 1.0
        save(store, number, 1e-3 * slow * (1 + number % 3 / 1000), yardstick=1e-4 * slow)
    series = read_history(store, store.entries()).series[ID]["time"]
    assert series.yardstick
    assert series.changes == ()


def test_a_yardstick_that_makes_it_worse_is_left_out(store: RunStore):
    for number in range(30):
        save(store, number, 1e-3 * (1 + number % 3 / 1000), yardstick=1e-4 * (1 + number % 2))
    series = read_history(store, store.entries()).series[ID]["time"]
    assert not series.yardstick
    assert series.changes == ()


def test_benchmarks_and_metrics_are_chosen(store: RunStore):
    save(store, 0, 1e-3)
    assert read_history(store, store.entries(), frozenset({"other"})).series == {}
    assert read_history(store, store.entries(), metric="memory").series == {}
    assert len(read_history(store, store.entries(), frozenset({ID}), "time").series[ID]) == 1


def test_a_damaged_run_is_skipped_with_a_warning(store: RunStore, tmp_path: Path):
    save(store, 0, 1e-3)
    save(store, 1, 1e-3)
    newest = store.entries()[0]
    (tmp_path / "store" / newest.path).write_bytes(b"no run")
    history = read_history(store, store.entries())
    assert len(history.occasions) == 1
    assert history.warnings[0].startswith("skipped: ")


def test_machines_are_told_apart_by_whoever_chooses_the_entries(store: RunStore):
    save(store, 0, 1e-3)
    save(store, 1, 1e-3, machine=msgspec.structs.replace(MACHINE, cores=64))
    assert len({entry.fingerprint for entry in store.entries()}) == 2
