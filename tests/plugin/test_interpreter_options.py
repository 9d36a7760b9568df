"""Tests that the arms run with this Python's options and environment."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from git_project import GitProject
from hypothesis import given
from hypothesis import strategies as st
from waiting import PROCESS_SECONDS

from jarvisperf.gate.processes.interpreter import Words, read_words

if TYPE_CHECKING:
    from collections.abc import Sequence

AGAINST = ("--jarvis-bench", "--jarvis-against=HEAD", "--jarvis-budget=0.1", "--jarvis-launches=2", "-p", "no:asyncio")
BENCH = """
import os, sys, warnings

import pkg

EXPECTED = {expected!r}

def warned():
    try:
        warnings.warn("a warning")
    except UserWarning:
        return True
    return False

def test_work(jarvis_bench):
    seen = dict(
        asserts=__debug__, utf8=sys.flags.utf8_mode, dev=sys.flags.dev_mode, bytes=sys.flags.bytes_warning,
        isolated=sys.flags.isolated, bytecode=sys.dont_write_bytecode, warned=warned(), x=sys._xoptions.get("mine"),
        variable=os.environ.get("PYTHONDONTWRITEBYTECODE"), collects=pkg.ASSERTS,
    )
    if wrong := {{name: seen[name] for name in EXPECTED if seen[name] != EXPECTED[name]}}:
        raise RuntimeError(f"an arm has {{wrong}}")
    jarvis_bench(pkg.work, 500)
"""


@pytest.mark.parametrize(
    ("options", "variables", "expected"),
    [
        (
            ["-O", "-Xdev", "-X", "mine=1", "-bb", "-B", "-W", "error"],
            {},
            {"asserts": False, "collects": False, "dev": True, "x": "1", "bytes": 2, "bytecode": True, "warned": True},
        ),
        (["-I", "-X", "utf8=0"], {}, {"isolated": 1, "utf8": 0, "asserts": True}),
        (
            [],
            {"PYTHONOPTIMIZE": "1", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            {"asserts": False, "utf8": 1, "bytecode": True, "variable": "1"},
        ),
    ],
    ids=["options", "isolated", "variables"],
)
@pytest.mark.usefixtures("with_control")  # with -I, no inner plugin is found
def test_options_and_variables_of_this_python_hold_in_both_arms(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    variables: dict[str, str],
    expected: dict[str, object],
):
    project = GitProject(pytester)
    project.write("pkg/__init__.py", "ASSERTS = __debug__\ndef work(n): return sum(i * i for i in range(n))\n")
    project.write("benchmarks/test_bench.py", BENCH.format(expected=expected))
    project.write("conftest.py", "")  # the folder is then on the search path, also with -I
    project.commit()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = pytester.run(sys.executable, *options, "-m", "pytest", *AGAINST, timeout=PROCESS_SECONDS)
    result.assert_outcomes(passed=1)
    (entry,) = json.loads((project.root / "reports/report.json").read_text())["benchmarks"]
    assert entry["metrics"]["time"]["ratio"] is not None


@pytest.mark.parametrize(
    ("words", "options", "rest"),
    [
        (["-O", "-m", "pytest", "-x"], ["-O"], ["-m", "pytest", "-x"]),
        (["-OOIWd", "-X", "dev", "a.py", "-O"], ["-O", "-O", "-I", "-Wd", "-Xdev"], ["a.py", "-O"]),
        (["-Impkg", "a"], ["-I"], ["-m", "pkg", "a"]),
        (["--check-hash-based-pycs", "never", "-"], ["--check-hash-based-pycs", "never"], ["-"]),
        (["-c"], [], ["-c"]),
        ([], [], []),
    ],
)
def test_options_are_told_from_what_runs(words: list[str], options: list[str], rest: list[str]):
    assert read_words(words) == Words(tuple(options), tuple(rest))


OPTION = st.sampled_from([["-O"], ["-I"], ["-bb"], ["-X", "dev"], ["-Xutf8=1"], ["-W", "error"], ["-EsB"]])


@given(st.lists(OPTION), st.lists(st.text(min_size=1)))
def test_whatever_stands_before_the_script_is_an_option_and_nothing_after_it(
    options: Sequence[Sequence[str]], arguments: list[str]
):
    found = read_words([*(word for option in options for word in option), "script.py", *arguments])
    assert found.rest == ("script.py", *arguments)
    assert found.script == "script.py"
    assert read_words(found.options).options == found.options
