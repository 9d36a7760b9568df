"""Tests that `--jarvis-affected` leaves nothing out that reaches the change by ways which are hard to watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from light_pytest import TIMED_BY_WORK
from stranger import CLOCKED_WORK, Stranger

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = f"""\
import json
import multiprocessing
import pathlib
import pkgutil
import sys

{CLOCKED_WORK}
CACHE = pathlib.Path(__file__).with_name("made.json")

def changed(n):
    return n

def call_changed(n):
    return globals()["chan" + "ged"](n)

def hidden_from_profilers(n):
    profiler = sys.getprofile()
    sys.setprofile(None)
    try:
        call_changed(n)
    finally:
        sys.setprofile(profiler)
    return work(n)

def spawning(n):
    child = multiprocessing.get_context("spawn").Process(target=int)
    child.start()
    child.join()
    return work(n)

def made_once(n):
    if not CACHE.exists():
        CACHE.write_text(json.dumps(call_changed(n)))
    json.loads(CACHE.read_text())
    return work(n)

def template(n):
    pkgutil.get_data("pkg", "template.py")
    return work(n)
"""
BENCH = """
    import pkg


    def test_untouched(jarvis_bench):
        jarvis_bench(pkg.work, 300)


    def test_hidden_from_profilers(jarvis_bench):
        jarvis_bench(pkg.hidden_from_profilers, 300)


    def test_spawning(jarvis_bench):
        jarvis_bench.pedantic(pkg.spawning, (300,), rounds=1)


    def test_makes_a_file(jarvis_bench):
        jarvis_bench(pkg.made_once, 300)


    def test_finds_the_file(jarvis_bench):
        jarvis_bench(pkg.made_once, 300)


    def test_template(jarvis_bench):
        jarvis_bench(pkg.template, 300)
"""


def test_benchmarks_that_reach_a_change_unseen_run(tmp_path: Path):
    files = {
        "pkg/__init__.py": PACKAGE,
        "pkg/template.py": "def x(n):\n    return n\n",
        "bench/test_bench.py": BENCH,
    }
    project = Stranger(tmp_path, files)
    project.words = (*TIMED_BY_WORK, "--jarvis-affected", "--jarvis-report-formats=json")
    project.write({"pkg/__init__.py": PACKAGE.replace("changed(n):\n    return n", "changed(n):\n    return 0 or n")})
    project.write({"pkg/template.py": "def x(n):\n    return 0 or n\n"})
    project.against("--jarvis-allow-missing")
    left_out = {name for name, entry in project.entries.items() if entry["left_out"] is not None}
    assert left_out == {"test_untouched"}


def test_a_change_that_git_was_told_to_overlook_leaves_nothing_out(tmp_path: Path):
    project = Stranger(
        tmp_path,
        {
            "pkg.py": CLOCKED_WORK,
            "bench/test_bench.py": "import pkg\n\n\ndef test_work(jarvis_bench):\n    jarvis_bench(pkg.work, 300)\n",
        },
    )
    project.words = (*TIMED_BY_WORK, "--jarvis-affected", "--jarvis-report-formats=json")
    project.git("update-index", "--assume-unchanged", "pkg.py")
    project.write({"pkg.py": CLOCKED_WORK + "\nLIMIT = 1\n"})
    assert project.against() == pytest.ExitCode.OK
    assert project.entries["test_work"]["left_out"] is None
