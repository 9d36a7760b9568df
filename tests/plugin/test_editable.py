"""Tests editable installations inside an arm."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

from pytest_jarvisperf.arms.foreign_modules import move_editable_installations

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_what_lies_in_the_working_tree_is_taken_from_the_arm_and_the_rest_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tree, arm, elsewhere = tmp_path / "tree", tmp_path / "arm", str(tmp_path / "elsewhere")
    for folder in ("lib/real", "python/ns"):
        (arm / folder).mkdir(parents=True)
    finder = types.ModuleType("__editable___project_1_0_finder")
    finder.MAPPING = {"pkg": str(tree / "lib" / "real"), "other": elsewhere}
    finder.NAMESPACES = {"ns": [str(tree / "python" / "ns"), elsewhere]}
    monkeypatch.setitem(sys.modules, finder.__name__, finder)
    monkeypatch.setattr(sys, "path", [str(tree / "python"), str(tree / "venv"), elsewhere, ""])
    move_editable_installations(tree, arm)
    assert sys.path == [str(arm / "python"), str(tree / "venv"), elsewhere, ""]
    assert {"pkg": str(arm / "lib" / "real"), "other": elsewhere} == finder.MAPPING
    assert {"ns": [str(arm / "python" / "ns"), elsewhere]} == finder.NAMESPACES
