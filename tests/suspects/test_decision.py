"""Who is suspect: only what differs in meaning, runs, or is read by what runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from suspects.arms_in_process import compared

WORK = """
import config

SIZE = 10
LIMIT = SIZE * 2

def helper(n):
    "Add numbers."
    return sum(range(n))

def unused(n):
    return n

def work():
    return helper(SIZE) + config.DEPTH
"""
CONFIG = "DEPTH = 3\nOTHER = 4\n"


def suspects_after(folder: Path, old: str, new: str, config: str = CONFIG) -> dict[str, tuple[str, ...]]:
    """Return what differs about each suspect after one edit of `work.py`."""
    assert old in WORK
    base = {"work.py": WORK, "config.py": CONFIG}
    decided = compared(folder, base, {"work.py": WORK.replace(old, new), "config.py": config})
    return {one.function: (one.difference, *one.details) for one in decided.explanation.suspects}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Add numbers.", "Add all numbers."),
        ('    "Add numbers."\n', ""),
        ("def helper(n):", "def helper(n: int) -> int:  # a comment"),
        ("def unused(n):\n    return n", "def unused(n):\n    return n + 1"),
        ("def unused", "\n\n# moved down\ndef unused"),
        ("import config\n", "import config, json\n"),
        ("SIZE = 10\n", "SIZE = 10\nn = 5\n"),
    ],
    ids=["docstring", "no docstring", "annotations", "not executed", "lines", "an import nobody reads", "a local name"],
)
def test_what_does_not_change_what_runs_makes_nobody_suspect(tmp_path: Path, old: str, new: str):
    assert suspects_after(tmp_path, old, new) == {}


def test_a_renamed_local_variable_changes_nothing(tmp_path: Path):
    work = "def work():\n    total = 0\n    for number in range(3):\n        total += number\n    return total\n"
    assert compared(tmp_path, {"work.py": work}, {"work.py": work.replace("total", "sum_")}).explanation.suspects == ()


def test_swapped_local_variables_are_a_change(tmp_path: Path):
    work = "def work():\n    a, b = 1, 2\n    return a\n"
    head = {"work.py": work.replace("return a", "return b")}
    assert len(compared(tmp_path, {"work.py": work}, head).explanation.suspects) == 1


@pytest.mark.parametrize(
    ("old", "new", "config", "suspects"),
    [
        ("sum(range(n))", "sum(range(n + 1))", CONFIG, {"helper": ("changed",)}),
        ("SIZE = 10", "SIZE = 20", CONFIG, {"work": ("reads", "reads SIZE = 20 (base: SIZE = 10)")}),
        ("SIZE = 10", "SIZE = 10", "DEPTH = 5\n", {"work": ("reads", "reads DEPTH = 5 (base: DEPTH = 3)")}),
        ("def helper(n)", "def helper(n, start=0)", CONFIG, {"helper": ("changed", "its parameters or defaults")}),
        ("SIZE = 10", "SIZE = 10", "DEPTH = 3\nOTHER = 5\n", {}),
    ],
    ids=["body", "constant", "constant of another module", "defaults", "a constant nobody reads"],
)
def test_what_runs_or_is_read_makes_its_function_suspect(
    tmp_path: Path, old: str, new: str, config: str, suspects: dict[str, tuple[str, ...]]
):
    assert suspects_after(tmp_path, old, new, config) == suspects


def test_a_value_computed_from_a_changed_one_has_changed_too(tmp_path: Path):
    work = WORK.replace("helper(SIZE)", "helper(LIMIT)")
    decided = compared(
        tmp_path, {"work.py": work, "config.py": CONFIG}, {"work.py": work.replace("= 10", "= 20"), "config.py": CONFIG}
    )
    (suspect,) = decided.explanation.suspects
    assert suspect.details == ("reads LIMIT, which is computed from SIZE",)


def test_a_function_that_only_moved_to_another_file_is_not_suspect(tmp_path: Path):
    helper = "def helper(n):\n    return sum(range(n))\n"
    work = "from old import helper\n\ndef work():\n    return helper(10)\n"
    base = {"work.py": work, "old.py": helper}
    head = {"work.py": work, "old.py": "from new import helper\n", "new.py": helper}
    assert compared(tmp_path, base, head).explanation.suspects == ()


def test_a_new_helper_belongs_to_the_group_of_its_caller(tmp_path: Path):
    base = {"work.py": "def work():\n    return 1\n\n\ndef other():\n    return 2\n"}
    helpers = "def helper():\n    return deep()\n\n\ndef deep():\n    return 1\n"
    head = {"work.py": f"def work():\n    return helper()\n\n\n{helpers}"}
    suspects = {one.function: one for one in compared(tmp_path, base, head).explanation.suspects}
    assert set(suspects) == {"work", "helper", "deep"}
    assert len({one.group for one in suspects.values()}) == 1
    assert suspects["helper"].difference == "new"


def test_differing_call_counts_are_said(tmp_path: Path):
    work = "def helper():\n    return 1\n\n\ndef work():\n    return sum(helper() for _ in range({}))\n"
    decided = compared(tmp_path, {"work.py": work.format(2)}, {"work.py": work.format(6)})
    (suspect,) = decided.explanation.suspects
    assert suspect.function == "work"
    assert suspect.details == ("calls helper 3x as often",)
    assert suspect.lines == (
        "- return sum(helper() for _ in range(2))",
        "+ return sum(helper() for _ in range(6))",
    )


def test_where_no_code_changed_only_differing_calls_are_said(tmp_path: Path):
    work = (
        "from pathlib import Path\n\nROUNDS = int((Path(__file__).parent / 'rounds').read_text())\n\n\n"
        "def helper():\n    return 1\n\n\ndef work():\n    return sum(helper() for _ in range(ROUNDS))\n"
    )
    base, head = {"work.py": work, "rounds": "2"}, {"work.py": work, "rounds": "6"}
    explanation = compared(tmp_path, base, head).explanation
    assert explanation.suspects == ()
    assert explanation.calls == ("helper is called 3x as often",)


def test_a_wrapper_that_only_head_executes_counts_for_the_function_that_it_wraps(tmp_path: Path):
    tools = "def checked(function):\n    def wrapper():\n        return function()\n    return wrapper\n"
    base = {
        "tools.py": tools,
        "work.py": "from tools import checked\n\ndef inner():\n    return 1\n\ndef work():\n    return inner()\n",
    }
    head = {**base, "work.py": base["work.py"].replace("def inner", "@checked\ndef inner")}
    decided = compared(tmp_path, base, head)
    (suspect,) = decided.explanation.suspects
    assert (suspect.function, suspect.details) == ("inner", ("its decorators",))
    assert {one.place for one in decided.head if one.label == "work.py::inner"} == {"0/work.py", "0/tools.py"}
