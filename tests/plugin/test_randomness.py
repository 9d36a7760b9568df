"""Tests that unseeded random numbers are the same in both arms and in every run, and that the rest is reported."""

from __future__ import annotations

import json
import random
import secrets
import tempfile
from typing import Any

import pytest
from git_project import GitProject

from pytest_jarvisperf.measuring.randomness.generators import SeededRandomness, seed_of

DRAWS = """
import random
import numpy as np

at_import = random.random()

def draws():
    return [
        random.random(), random.Random().random(), np.random.random(), np.random.default_rng().random(),
        np.random.RandomState().random(), np.random.Generator(np.random.PCG64()).random(),
    ]
"""
SHOWN = (
    DRAWS
    + """
import pytest

@pytest.fixture
def numbers():
    return draws()

def test_draws(jarvis_bench, numbers):
    jarvis_bench.extra_info["numbers"] = numbers
    jarvis_bench(int)

def test_others(jarvis_bench, numbers):
    jarvis_bench.extra_info["numbers"] = numbers
    jarvis_bench(int)

def test_its_own_seed_wins(jarvis_bench):
    random.seed(5)
    jarvis_bench.extra_info["numbers"] = random.random()
    jarvis_bench(int)

def test_not_foreseen(jarvis_bench):
    random.seed()
    jarvis_bench.extra_info["numbers"] = random.random()
    jarvis_bench(int)
"""
)
QUICKLY = ("--jarvis-bench", "--jarvis-budget=0.02", "-p", "no:asyncio")
IN_LOCKSTEP = (*QUICKLY[:1], "--jarvis-against=HEAD", "--jarvis-budget=0.2", "--jarvis-launches=4", *QUICKLY[2:])


def notes_of(pytester: pytest.Pytester) -> dict[str, str]:
    report = json.loads((pytester.path / "reports" / "report.json").read_text())
    return {entry["id"].partition("::")[2]: entry["extra_info"]["numbers"] for entry in report["benchmarks"]}


def test_each_benchmark_draws_the_same_numbers_in_every_run(pytester: pytest.Pytester):
    pytester.makepyfile(SHOWN)
    runs = []
    for _ in range(2):
        assert pytester.runpytest_subprocess(*QUICKLY).ret == 0
        runs.append(notes_of(pytester))
    first, second = runs
    assert first["test_draws"] == second["test_draws"] != first["test_others"]
    assert first["test_others"] == second["test_others"]
    assert first["test_its_own_seed_wins"] == str(random.Random(5).random())
    assert first["test_not_foreseen"] != second["test_not_foreseen"]


def test_other_tests_and_ordinary_runs_draw_what_they_drew(pytester: pytest.Pytester):
    pytester.makepyfile(
        DRAWS
        + """
        random.seed(1)
        expected = random.Random(1).random()

        def test_bench(jarvis_bench):
            jarvis_bench(random.random)

        def test_functional():
            assert random.random() == expected
        """.replace("\n        ", "\n")
    )
    pytester.runpytest_subprocess(*QUICKLY).assert_outcomes(passed=2)
    pytester.makepyfile(test_quick="import random\ndef test_a(jarvis_bench): print('->', jarvis_bench(random.random))")
    words = ("-s", "test_quick.py", "-p", "no:asyncio")
    drawn = {pytester.runpytest_subprocess(*words).stdout.str().partition("-> ")[2].split()[0] for _ in range(2)}
    assert len(drawn) == 2


WORK = "def work(n):\n    return sum(i * i for i in range(n))\n"
ALIKE = """
import random
import numpy as np
import pkg
import pytest

sizes = [int(100 * 2 ** random.uniform(0, 4)), int(100 * 2 ** random.Random().uniform(0, 4))]

@pytest.fixture(scope="session")
def rng():
    return np.random.default_rng()

@pytest.fixture
def n(rng):
    return sum(sizes) + int(rng.choice([100, 800, 3200])) + int(np.random.choice([100, 800, 3200]))

def test_alike(jarvis_bench, n):
    jarvis_bench(pkg.work, n)
"""
UNLIKE = """
import secrets
import pkg

def test_from_the_system(jarvis_bench):
    jarvis_bench(pkg.work, secrets.choice([10, 100_000]))

def test_drawn_differently(jarvis_bench):
    jarvis_bench(pkg.work, pkg.size())
"""


def test_both_arms_draw_the_same_inputs_and_what_cannot_be_made_equal_is_pointed_out(pytester: pytest.Pytester):
    project = GitProject(pytester)
    project.write("pkg/__init__.py", WORK + "def size():\n    return 500\n")
    project.write("test_alike.py", ALIKE)
    project.write("test_unlike.py", UNLIKE)
    project.commit()
    project.write("pkg/__init__.py", "import random\n" + WORK + "def size():\n    random.random()\n    return 20_000\n")
    result = project.run(*IN_LOCKSTEP, "--jarvis-threshold=30%")
    report = json.loads((project.root / "reports" / "report.json").read_text())
    assert 0.5 < report["benchmarks"][0]["metrics"]["time"]["ratio"] < 2  # sizes that differ would differ by more
    result.stdout.fnmatch_lines_random(
        [
            "jarvisperf: test_unlike.py::test_from_the_system: it drew random bytes from the system *",
            "jarvisperf: test_unlike.py::test_drawn_differently: base and head drew different random numbers *",
        ]
    )
    assert "test_alike: " not in result.stdout.str()


@pytest.fixture
def randomness() -> Any:
    made = SeededRandomness()
    yield made
    made.end()


def test_a_seed_is_the_same_in_every_process_and_its_parts_stay_apart():
    assert seed_of("a", "b") == 0x59B271AE1BBCB1D3
    assert len({seed_of("a", "b"), seed_of("b", "a"), seed_of("ab"), seed_of("ab", "")}) == 4


def test_names_of_temporary_files_are_not_foreseen(randomness: SeededRandomness):
    names = []
    for _ in range(2):
        randomness.begin(1)
        names.append(next(tempfile._RandomNameSequence()))  # type: ignore[attr-defined]
        randomness.end()
    assert names[0] != names[1]


def test_what_is_asked_of_the_system_is_counted_while_it_is_watched(randomness: SeededRandomness):
    randomness.begin(1)
    randomness.watch()
    secrets.token_hex()
    random.SystemRandom().random()
    assert randomness.system_draws == 2
    randomness.unwatch()
    secrets.token_hex()
    assert randomness.system_draws == 2


def test_the_state_tells_whether_the_same_was_drawn(randomness: SeededRandomness):
    states = []
    for draws in (1, 1, 2):
        randomness.begin(1)
        for _ in range(draws):
            random.random()
        states.append(randomness.state())
        randomness.end()
    assert states[0] == states[1] != states[2]


def test_afterwards_the_shared_generators_go_on_where_they_were(randomness: SeededRandomness):
    random.seed(3)
    expected = random.Random(3).random()
    randomness.begin(1)
    random.random()
    randomness.end()
    assert random.random() == expected
    assert random.Random().random() != random.Random().random()
