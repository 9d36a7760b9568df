"""Tests which arguments a worker's pytest gets: those that affect how tests run, but not selection or output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from waiting import PROCESS_SECONDS

from pytest_jarvisperf.arms.arguments import PRELOADED_PACKAGES, preloaded, worker_arguments

pytestmark = pytest.mark.usefixtures("as_installed")


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
        ("-xvs",),
        ("-vk", "fast"),
        ("-kfast",),
        ("-n2",),
        ("-n", "2", "--dist=loadgroup", "--maxprocesses", "4"),
        ("--cov",),
        ("--cov", "pkg"),
        ("--cov-report", "xml"),
        ("--debug",),
        ("--stepwise-reset",),
        ("--benchmark-compare", "0001"),
        ("--benchmark-histogram",),
        ("--pdbcls", "a:b"),
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


def test_ini_values_given_as_options_are_kept(pytester: pytest.Pytester):
    words = arguments(pytester, "-o", "python_functions=bench_*", "--override-ini=xfail_strict=true", "-oaddopts=-q")
    assert words[:3] == ["-o", "python_functions=bench_*", "--override-ini=xfail_strict=true"]
    last = [word for word in words if word.startswith("addopts=")][-1]
    assert last == "addopts="


@pytest.mark.parametrize("option", ["--cov", "--benchmark-compare", "--benchmark-histogram", "--debug"])
def test_an_option_with_an_optional_value_leaves_the_next_option_alone(pytester: pytest.Pytester, option: str):
    plain = arguments(pytester)
    assert arguments(pytester, ini=f"addopts = {option} -n 2") == plain
    assert arguments(pytester, option, "-W", "error")[:2] == ["-W", "error"]


def test_options_in_a_file_are_treated_alike(pytester: pytest.Pytester):
    pytester.path.joinpath("words.txt").write_text("-x\n-W\nerror\n-n\n2\ntests\n")
    assert arguments(pytester, "@words.txt") == ["-W", "error", *arguments(pytester)]


@pytest.mark.parametrize(
    ("option", "required", "hypothesis"),
    [("-Werror", "", False), ("--hypothesis-seed=1", "", True), ("-Werror", "hypothesis>=6", True)],
)
def test_plugins_that_a_project_may_rely_on_are_there(
    pytester: pytest.Pytester, option: str, required: str, *, hypothesis: bool
):
    words = arguments(pytester, option, ini=f"required_plugins = pytest-cov pytest-xdist {required}")
    left_out = {word for word in words if word.startswith("no:")}
    usual = {"no:terminalreporter", "no:lfplugin", "no:nfplugin", "no:xdist.looponfail", "no:hypothesispytest"}
    assert left_out == usual - ({"no:hypothesispytest"} if hypothesis else set())


def test_the_cache_is_the_arms_own_and_nobody_elses(pytester: pytest.Pytester):
    words = arguments(pytester, "-o", "cache_dir=/shared", ini="cache_dir = /shared")
    assert [word for word in words if word.startswith("cache_dir=")][-1] == "cache_dir=.pytest_cache"
    assert not any(word.startswith("cache_dir=") for word in arguments(pytester, "-p", "no:cacheprovider"))


def test_only_packages_that_are_known_to_be_shared_are_imported_before_the_fork():
    code = """
import importlib, sys
def packages(): return {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
before = packages()
for name in sys.argv[1:]: importlib.import_module(name)
print(*packages() - before)
"""
    command = [sys.executable, "-P", "-c", code, *preloaded()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PROCESS_SECONDS)
    assert "pytest" in done.stdout.split()
    assert set(done.stdout.split()) - PRELOADED_PACKAGES == set()
