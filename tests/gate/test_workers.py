"""A worker that is stopped, so that it cannot answer, is told from one that is only slow."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from waiting import PROCESS_SECONDS, wait_until

from jarvisperf.gate.processes import workers
from jarvisperf.gate.processes.kernel_view import is_stopped
from jarvisperf.gate.processes.workers import ArmPlace, NoAnswerError, Worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """Start a process that does not answer."""
    monkeypatch.setattr(workers, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(workers, "STOPPED_SECONDS", 0.1)
    ours, theirs = socket.socketpair()
    with (
        ours,
        theirs,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process,
    ):
        made = Worker(ArmPlace("head", (tmp_path,), tmp_path, (), {}), ours, tmp_path / "log")
        made.processes = (process.pid,)
        yield made
        process.kill()


def stop(worker: Worker) -> None:
    (process,) = worker.processes
    os.kill(process, signal.SIGSTOP)
    wait_until(lambda: is_stopped(process))


def test_a_stopped_worker_is_given_up(worker: Worker):
    stop(worker)
    with pytest.raises(NoAnswerError, match="the head worker was stopped, by SIGSTOP or a debugger"):
        worker.hear(PROCESS_SECONDS)


def test_a_worker_that_was_stopped_whenever_it_was_looked_at_but_ran_in_between_is_only_slow(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
):
    stop(worker)
    used = itertools.count()
    monkeypatch.setattr(workers, "cpu_seconds", lambda _: float(next(used)))
    with pytest.raises(NoAnswerError, match="did not answer within"):
        worker.hear(0.5)


def test_a_worker_that_waits_for_something_is_only_slow(worker: Worker):
    with pytest.raises(NoAnswerError, match="did not answer within"):
        worker.hear(0.5)


def test_a_worker_that_has_not_collected_its_tests_is_told_from_one_whose_call_does_not_end(worker: Worker):
    for processes, why in ((worker.processes, "calls that take longer"), ((), "importing and collecting the tests")):
        worker.processes = processes
        with pytest.raises(NoAnswerError, match=f"the head worker did not answer within 0 s and was ended: {why}"):
            worker.hear(0.1)
