"""Every kind of change has its culprit among the suspects, and no function whose code is equal is one of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from suspects.arms_in_process import executed_in, source_in
from suspects.made_slices import timed

from benchmarks.gate_lab.culprits.arms import roots_of
from benchmarks.gate_lab.culprits.changes import CHANGES, write_arms
from jarvisperf.suspects.decision import ArmCode, DecidedSuspects, suspects_of
from jarvisperf.suspects.shares import with_shares

EDITED_WITHOUT_EFFECT = {"split", "count"}
SLICES = 20


@pytest.fixture(params=list(CHANGES))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def decided_of(kind: str, folder: Path) -> DecidedSuspects:
    change = CHANGES[kind]
    arms = [folder / "base", folder / "head"]
    write_arms(change, *arms, n=20)
    return suspects_of(*(ArmCode(executed_in(roots_of(arm)), source_in(roots_of(arm))) for arm in arms))


def test_there_are_at_least_the_fifteen_kinds_of_the_target():
    assert len(CHANGES) >= 15


def test_the_guilty_function_is_suspect_and_no_unchanged_one_is(kind: str, tmp_path: Path):
    explanation = decided_of(kind, tmp_path).explanation
    names = {suspect.function for suspect in explanation.suspects}
    guilty = set(CHANGES[kind].guilty)
    assert names & guilty
    assert names <= guilty | EDITED_WITHOUT_EFFECT
    assert explanation.is_complete


def test_the_guilty_function_ranks_first_if_the_time_is_spent_in_it(kind: str, tmp_path: Path):
    decided = decided_of(kind, tmp_path)
    label = next(one.label for one in decided.explanation.suspects if one.function in CHANGES[kind].guilty)
    guilty = next(one for one in decided.explanation.suspects if one.label == label)
    grown = "" if guilty.prepares else label  # what was prepared differently makes other code slower
    base = timed([{grown: 1.0, "steps.py::split": 1.0}] * SLICES)
    head = timed([{grown: 1.2, "steps.py::split": 1.0}] * SLICES)
    first = with_shares(decided.explanation, [(base, head)] * 3).suspects[0]
    assert first.label == label
    assert first.share == (None if guilty.prepares else 1.0)
