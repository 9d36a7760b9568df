"""Tests how long a worker's answer is waited for."""

from __future__ import annotations

import pytest

from jarvisperf.gate.processes.answer_timeouts import Patience


@pytest.mark.parametrize(("took", "waits"), [(0.2, 30.0), (3.5, 35.0), (60.0, 120.0)])
def test_an_answer_is_waited_for_ten_times_as_long_as_the_benchmark_ever_took(took: float, waits: float):
    patience = Patience()
    assert patience.answer_seconds("it") == 120.0
    patience.note("it", took)
    patience.note("it", took / 2)
    assert patience.answer_seconds("it") == pytest.approx(waits)
    assert patience.answer_seconds("another") == 120.0
