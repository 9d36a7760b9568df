"""What a worker's pytest is told: all that shapes the tests, nothing that selects, shows or reports them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_jarvisperf.worker_args import worker_arguments


def arguments(pytester: pytest.Pytester, *words: str, ini: str = "") -> list[str]:
    pytester.makeini(f"[pytest]\n{ini}")
    config = pytester.parseconfig(*words)
    return worker_arguments(config, ["bench.py"], Path("pytest.ini"))


def test_what_shapes_the_tests_is_kept(pytester: pytest.Pytester):
    words = arguments(pytester, "-W", "error", "-p", "no:doctest", "--import-mode=importlib", "--strict-markers")
    for word in ("-W", "error", "-p", "no:doctest", "--import-mode=importlib", "--strict-markers"):
        assert word in words


@pytest.mark.parametrize(
    "dropped",
    [
        ("-k", "fast"),
        ("-m", "slow"),
        ("-x",),
        ("-q",),
        ("-vv",),
        ("--maxfail=2",),
        ("--maxfail", "2"),
        ("--junitxml", "out.xml"),
        ("--lf",),
        ("--tb=short",),
        ("-rA",),
        ("--jarvis-bench",),
        ("--jarvis-against", "main"),
        ("--jarvis-budget=3",),
        ("--benchmark-only",),
        ("--benchmark-json=out.json",),
        ("--basetemp=/nowhere",),
        ("tests",),
    ],
    ids=" ".join,
)
def test_what_selects_shows_or_reports_is_dropped(pytester: pytest.Pytester, dropped: tuple[str, ...]):
    (pytester.path / "tests").mkdir()
    plain = arguments(pytester)
    assert arguments(pytester, *dropped) == plain


def test_options_of_the_ini_file_and_the_environment_count(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--strict-config -x")
    words = arguments(pytester, ini="addopts = --import-mode=importlib -q")
    assert "--strict-config" in words
    assert "--import-mode=importlib" in words
    assert "-x" not in words
    assert "-q" not in words


def test_plugins_that_cannot_matter_stay_out_unless_they_are_addressed(pytester: pytest.Pytester):
    assert "no:hypothesispytest" in arguments(pytester)
    assert "no:hypothesispytest" not in arguments(pytester, "--hypothesis-seed=1")
