"""What is said of profiles that could not be taken in both arms: only where the report lacks something for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jarvisperf.profiles.model import Frame, profile_of
from jarvisperf.profiles.pairing import Sliced
from pytest_jarvisperf.arms import profiles as arm_profiles
from pytest_jarvisperf.arms.profiles import Answer, profile_arms

NAME = "test_a.py::test_a"
STACK = (Frame("work", "pkg.py", 3, True),)
HEAD_ALONE = "head alone was profiled, so the report does not show which function grew"
SAW_NOTHING = Answer(problems={NAME: "pyinstrument saw nothing"})


def answer() -> Answer:
    taken = profile_of("pyinstrument", "s", {STACK: 1e-3}, iterations=10, samples=100)
    return Answer(profiles={NAME: Sliced(taken)})


@pytest.mark.parametrize(
    ("launches", "said"),
    [
        ([(answer(), answer())] * 3, []),
        ([(SAW_NOTHING, answer()), (answer(), SAW_NOTHING), (answer(), answer())], []),
        (
            [(SAW_NOTHING, answer())] * 3,
            [f"{NAME}: {HEAD_ALONE}: in the base pyinstrument saw nothing"],
        ),
        ([(answer(), SAW_NOTHING)] * 3, [f"{NAME} was not profiled: pyinstrument saw nothing"]),
        ([(Answer(), answer())] * 3, []),
    ],
    ids=["both", "single launches", "base never", "head never", "an arm ended"],
)
def test_what_a_single_launch_lacks_is_said_only_if_the_profile_lacks_it(
    launches: list[tuple[Answer, Answer]], said: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    waiting = iter(launches)
    monkeypatch.setattr(arm_profiles, "_start_pair", lambda *_: next(waiting))
    monkeypatch.setattr(arm_profiles, "_answer", lambda one, *_: one)
    assert profile_arms([], [], [NAME], tmp_path)[1] == said
