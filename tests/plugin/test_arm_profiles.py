"""Tests the messages about profiles that could not be taken in both arms: only if the report lacks something."""

from __future__ import annotations

from pathlib import Path

import pytest

from jarvisperf.profiles.model import Frame, profile_of
from jarvisperf.profiles.pairing import Sliced
from pytest_jarvisperf.explaining import profiles as arm_profiles
from pytest_jarvisperf.explaining.processes import ProfileAnswer
from pytest_jarvisperf.explaining.profiles import profile_arms

NAME = "test_a.py::test_a"
STACK = (Frame("work", "pkg.py", 3, True),)
HEAD_ALONE = "only head was profiled, so the report does not show which function grew"
SAW_NOTHING = ProfileAnswer(problems={NAME: "pyinstrument recorded nothing"})


def answer() -> ProfileAnswer:
    taken = profile_of("pyinstrument", "s", {STACK: 1e-3}, iterations=10, samples=100)
    return ProfileAnswer(profiles={NAME: Sliced(taken)})


@pytest.mark.parametrize(
    ("launches", "said"),
    [
        ([(answer(), answer())] * 3, None),
        ([(SAW_NOTHING, answer()), (answer(), SAW_NOTHING), (answer(), answer())], None),
        ([(SAW_NOTHING, answer())] * 3, f"{NAME}: {HEAD_ALONE}: in base pyinstrument recorded nothing"),
        ([(answer(), SAW_NOTHING)] * 3, f"{NAME} was not profiled: pyinstrument recorded nothing"),
        ([(ProfileAnswer(), answer())] * 3, None),
    ],
    ids=["both", "single launches", "base never", "head never", "an arm ended"],
)
def test_what_a_single_launch_lacks_is_said_only_if_the_profile_lacks_it(
    launches: list[tuple[ProfileAnswer, ProfileAnswer]],
    said: str | None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    waiting = iter(launches)
    monkeypatch.setattr(arm_profiles, "_start_pair", lambda *_: next(waiting))
    monkeypatch.setattr(arm_profiles, "answer_of", lambda one, *_: one)
    found, problems = profile_arms([], [], [NAME], tmp_path)
    assert found[NAME].problem == said
    assert problems == []
