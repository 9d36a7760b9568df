"""Tests of tox.ini: with xdist, pytest runs nothing at all if one of the files it is given does not exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_path_that_an_environment_names_exists():
    named = re.findall(r"\b(?:tests|docs)/[\w./]+", (ROOT / "tox.ini").read_text(encoding="utf-8"))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
