"""Tests that the lowest supported versions, with which `tox run -e lowest` tests, are those of `pyproject.toml`."""

from __future__ import annotations

from lowest_versions import FILE, lowest_versions


def test_the_constraints_are_the_lower_bounds():
    assert FILE.read_text(encoding="utf-8") == lowest_versions(), "run: python tests/lowest_versions.py"
