"""Tests the circuit breaker: it stays open until a background probe succeeds."""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import SOON_SECONDS, ends_within, wait_until

from jarvisperf.cache.outage.breaker import LONGEST_PAUSE_SECONDS, Breaker


class Patient:
    """The probed store; the test decides whether it works."""

    def __init__(self, *, is_well: bool) -> None:
        self.is_well = is_well
        self.probes = 0
        self.threads: set[str] = set()
        self.breaker = Breaker(self.recover, "probe-test", random.Random(1), first_pause_seconds=0.005)

    def recover(self) -> bool:
        self.probes += 1
        self.threads.add(threading.current_thread().name)
        if self.is_well:
            self.breaker.close_circuit()
        return self.is_well


def test_it_is_open_before_the_first_probe():
    assert Patient(is_well=True).breaker.is_open


def test_it_closes_once_a_probe_succeeds_and_probes_no_more():
    patient = Patient(is_well=True)
    patient.breaker.trip()
    wait_until(lambda: not patient.breaker.is_open and not patient.breaker.is_probing())
    assert patient.probes == 1


def test_it_goes_on_probing_until_it_succeeds():
    patient = Patient(is_well=False)
    patient.breaker.trip()
    wait_until(lambda: patient.probes >= 3)
    assert patient.breaker.is_open
    patient.is_well = True
    wait_until(lambda: not patient.breaker.is_open)


def test_only_one_thread_probes_however_many_calls_fail():
    patient = Patient(is_well=False)
    for _ in range(50):
        patient.breaker.trip()
    wait_until(lambda: patient.probes >= 3)
    assert sum(thread.name == "probe-test" for thread in threading.enumerate()) == 1
    assert patient.threads == {"probe-test"}
    patient.breaker.stop()


def test_it_opens_again_after_every_failure():
    patient = Patient(is_well=True)
    for _ in range(5):
        patient.breaker.trip()
        wait_until(lambda: not patient.breaker.is_open)
    assert patient.probes == 5


def test_stopping_ends_the_thread_for_good():
    patient = Patient(is_well=False)
    patient.breaker.trip()
    wait_until(lambda: patient.probes >= 1)
    patient.breaker.stop()
    assert not patient.breaker.is_probing()
    patient.breaker.trip()
    assert not patient.breaker.is_probing()


def test_in_a_forked_child_nobody_probes_until_the_next_call_that_fails():
    patient = Patient(is_well=False)
    patient.breaker.trip()
    wait_until(lambda: patient.probes >= 1)
    pid = os.fork()
    if pid == 0:
        try:
            assert not patient.breaker.is_probing()
            patient.is_well = True
            patient.breaker.trip()
            wait_until(lambda: not patient.breaker.is_open)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a forked copy of pytest must not go on
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert patient.breaker.is_open
    assert patient.breaker.is_probing()
    patient.breaker.stop()


def test_a_probe_that_dies_is_followed_by_another(monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda _: None)  # the interpreter's hook would not report it either
    patient = Patient(is_well=True)
    recover, patient.breaker._recover = patient.breaker._recover, sys.exit
    patient.breaker.trip()
    wait_until(lambda: all(thread.name != "probe-test" for thread in threading.enumerate()))
    assert not patient.breaker.is_probing()
    assert patient.breaker.is_open
    patient.breaker._recover = recover
    patient.breaker.trip()
    wait_until(lambda: not patient.breaker.is_open)


def test_a_forgotten_breaker_is_not_kept_alive_by_its_outage():
    patient = Patient(is_well=False)
    patient.breaker.trip()
    thread = patient.breaker._thread
    gone = weakref.ref(patient)
    del patient

    def is_gone() -> bool:
        gc.collect()
        return gone() is None and not thread.is_alive()

    wait_until(is_gone)


def test_waiting_for_the_first_attempt_has_an_end():
    ends_within(SOON_SECONDS, lambda: Patient(is_well=False).breaker.wait_for_first_attempt(0.01))


@given(st.integers(1, 10_000), st.integers())
def test_pauses_are_short_for_a_minute_then_grow_and_are_bounded(attempts, seed):
    breaker = Breaker(lambda: False, "x", random.Random(seed), first_pause_seconds=0.5)
    pause = breaker.pause_seconds(attempts)
    longest = 0.5 if attempts < 60 / 0.5 else LONGEST_PAUSE_SECONDS
    assert 0.25 <= pause <= 1.5 * longest


def test_pauses_of_a_long_outage_are_long():
    breaker = Breaker(lambda: False, "x", random.Random(1), first_pause_seconds=0.5)
    assert breaker.pause_seconds(10_000) >= 0.5 * LONGEST_PAUSE_SECONDS


@pytest.mark.parametrize("attempts", [1, 4])
def test_pauses_are_jittered(attempts):
    drawn = {Breaker(lambda: False, "x", random.Random(seed)).pause_seconds(attempts) for seed in range(10)}
    assert len(drawn) == 10
