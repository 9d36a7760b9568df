"""The code of the arms is sealed: a change is noticed even if its times were set back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jarvisperf.gate.arms.tampering import Seals


@pytest.fixture
def arms(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("base", "head"):
        (tmp_path / name / "pkg").mkdir(parents=True)
        (tmp_path / name / "data.json").write_text("1")
    core = tmp_path / "head" / "pkg" / "core.py"
    core.write_text("x = 1\n")
    os.link(core, tmp_path / "base" / "pkg" / "core.py")
    return tmp_path / "base", tmp_path / "head"


def test_untouched_code_is_whole(arms: tuple[Path, Path]):
    assert Seals(arms).broken() == []


def test_a_change_is_noticed_in_every_arm_that_shares_the_file(arms: tuple[Path, Path]):
    seals = Seals(arms)
    core = arms[0] / "pkg" / "core.py"
    about = core.stat()
    core.write_text("x = 2\n")
    os.utime(core, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert seals.broken() == [str(arm / "pkg" / "core.py") for arm in arms]


def test_a_replaced_file_is_noticed_in_its_arm(arms: tuple[Path, Path]):
    seals = Seals(arms)
    core = arms[0] / "pkg" / "core.py"
    core.unlink()
    assert seals.broken() == [str(core)]
    core.write_text("x = 2\n")
    assert seals.broken() == [str(core)]


def test_the_same_content_is_the_same_code(arms: tuple[Path, Path]):
    seals = Seals(arms)
    core = arms[0] / "pkg" / "core.py"
    core.unlink()
    core.write_text("x = 1\n")
    assert seals.broken() == []


def test_data_may_change(arms: tuple[Path, Path]):
    seals = Seals(arms)
    (arms[0] / "data.json").write_text("2")
    assert seals.broken() == []
