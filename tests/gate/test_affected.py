"""Tests which benchmarks a change can affect, given what they touch; in doubt, it is all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stranger import Stranger

from jarvisperf.gate.affected import Side, Watched, read_change, reasons_to_run
from jarvisperf.gate.affected.model import MODULE, Executed, Touched
from jarvisperf.gate.affected.module_parts import module_parts
from jarvisperf.gate.arms.revision import resolve

if TYPE_CHECKING:
    from pathlib import Path

CORE = """\
import json

LIMIT = 10

def work(n: int = 1):
    "Work."
    if n > LIMIT:
        return rare(n)
    return n

def rare(n):
    return [one for one in range(n)]

def unused(n):
    return other.helper(n)

@json.register
class Box:
    size = 1

    def area(self):
        return self.size
"""


@pytest.mark.parametrize(
    ("old", "new", "function"),
    [
        ("return n\n", "return n + 1\n", "work"),
        ("for one in range(n)", "for one in range(n) if one", "rare"),
        ("return self.size", "return 2 * self.size", "Box.area"),
    ],
)
def test_a_changed_body_concerns_those_who_call_it(old: str, new: str, function: str):
    base, head = module_parts(CORE), module_parts(CORE.replace(old, new))
    assert base.on_import == head.on_import
    assert {name for name in base.functions if base.functions[name] != head.functions[name]} == {function}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 10", "LIMIT = 11"),
        ("n: int = 1", "n: int = 2"),
        ("n: int = 1", "n: float = 1"),
        ('"Work."', '"Works."'),
        ("@json.register\n", ""),
        ("size = 1", "size = 2"),
        ("def unused", "def used"),
        ("return n\n", "yield n\n"),
        ("import json\n", "import json, sys\n"),
    ],
)
def test_what_an_import_does_or_shows_concerns_everyone_who_imports_it(old: str, new: str):
    assert module_parts(CORE).on_import != module_parts(CORE.replace(old, new)).on_import


def test_comments_layout_and_moved_lines_are_no_change():
    assert module_parts(CORE) == module_parts("# by Ada\n\n" + CORE.replace("n > LIMIT", "(n >\n LIMIT)"))


@pytest.fixture
def project(tmp_path: Path) -> Stranger:
    return Stranger(
        tmp_path,
        {
            "pkg/core.py": CORE,
            "pkg/lazy.py": "VALUE = 1\n",
            "pkg/table.json": "{}",
            "README.md": "one",
            "bench/test_a.py": "import pkg.core\n",
            "bench/test_b.py": "",
            "pyproject.toml": "",
        },
    )


IDS = {"bench/test_a.py::test_work": "bench/test_a.py", "bench/test_b.py::test_other": "bench/test_b.py"}
WORKS, OTHER = IDS
LOADED = frozenset(Executed(file, MODULE) for file in ("pkg/core.py", "bench/test_a.py", "bench/test_b.py"))
TOUCHED = Touched(executed=LOADED | {Executed("pkg/core.py", "work")})
BYSTANDER = Touched(executed=LOADED)


def reasons(project: Stranger, works: Touched = TOUCHED) -> dict[str, str]:
    watched = Watched({WORKS: works, OTHER: BYSTANDER}, {"bench/test_a.py": {"core": frozenset({"pkg/core.py"})}})
    change = read_change(resolve(project.root, "HEAD", exact=True))
    return reasons_to_run(change, [Side(project.root, watched)], IDS)


def changed(project: Stranger, file: str, old: str, new: str) -> None:
    path = project.root / file
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("return n\n", "return n + 1\n", {WORKS: "work in pkg/core.py changed"}),
        ("for one in range(n)", "for one in range(n) if one", {WORKS: "rare in pkg/core.py changed"}),
        ("helper(n)", "helper(n, n)", {}),
        ("LIMIT = 10", "LIMIT = 11", dict.fromkeys(IDS, "what pkg/core.py does on import changed")),
        ("import json", "import json oops", dict.fromkeys(IDS, "what pkg/core.py does on import changed")),
        ("\n\n", "\n\n# a comment\n\n", {}),
    ],
)
def test_changed_code_concerns_those_who_reach_it(project: Stranger, old: str, new: str, expected: dict[str, str]):
    changed(project, "pkg/core.py", old, new)
    assert reasons(project) == expected


@pytest.mark.parametrize(
    ("files", "works", "expected"),
    [
        ({"README.md": "two", "docs/conf.py": "x = 1"}, TOUCHED, {}),
        ({"README.md": "two"}, Touched(opened=frozenset({"README.md"})), {WORKS: "it opens README.md"}),
        ({"pkg/table.json": "[]"}, TOUCHED, {}),
        ({"pkg/table.json": "[]"}, Touched(opened=frozenset({"pkg/table.json"})), {WORKS: "it opens pkg/table.json"}),
        (
            {"pkg/table.json": "[]"},
            Touched(native=frozenset({"reader"})),
            {WORKS: "reader may read pkg/table.json"},
        ),
        ({"pkg/new.json": "[]"}, TOUCHED, dict.fromkeys(IDS, "pkg/new.json is new or gone")),
        ({"pkg/lazy.py": "VALUE = 2\n"}, TOUCHED, {}),
        ({"docs/new.md": ""}, Touched(listed=frozenset({"docs"})), {WORKS: "it lists the folder of docs/new.md"}),
        ({"pkg/fast.py": ""}, TOUCHED, {}),
        (
            {"pkg/fast.py": ""},
            Touched(imported=frozenset({"pkg.fast"})),
            {WORKS: "a module named fast is new or gone"},
        ),
        ({"bench/test_b.py": "x = 1"}, TOUCHED, {OTHER: "its own file changed"}),
        ({"pyproject.toml": "[project]"}, TOUCHED, dict.fromkeys(IDS, "pyproject.toml changed")),
        ({"conftest.py": ""}, TOUCHED, dict.fromkeys(IDS, "conftest.py changed")),
        ({"pkg/_fast.c": ""}, TOUCHED, dict.fromkeys(IDS, "pkg/_fast.c changed")),
        ({}, Touched(unseen=("it starts processes",)), {WORKS: "it starts processes"}),
        ({}, TOUCHED, {}),
    ],
)
def test_changed_files_concern_those_who_may_read_them(
    project: Stranger, files: dict[str, str], works: Touched, expected: dict[str, str]
):
    project.write(files)
    assert reasons(project, works) == expected


def test_what_could_not_be_watched_runs(project: Stranger):
    change = read_change(resolve(project.root, "HEAD", exact=True))
    assert reasons_to_run(change, [Side(project.root, Watched())], IDS) == dict.fromkeys(IDS, "it could not be watched")


def test_what_asks_git_for_the_commit_runs_because_the_arms_are_at_different_ones(project: Stranger):
    works = Touched(executed=LOADED, opened=frozenset({".git/HEAD"}))
    assert reasons(project, works) == {WORKS: "it opens .git/HEAD, and each arm is a repository at its own commit"}


def test_a_test_file_that_another_module_uses_is_an_ordinary_module(project: Stranger):
    project.write({"bench/test_b.py": "x = 1"})
    watched = Watched(
        {WORKS: TOUCHED, OTHER: BYSTANDER}, {"bench/test_a.py": {"test_b": frozenset({"bench/test_b.py"})}}
    )
    change = read_change(resolve(project.root, "HEAD", exact=True))
    found = reasons_to_run(change, [Side(project.root, watched)], IDS)
    assert found == {WORKS: "what bench/test_b.py does on import changed", OTHER: "its own file changed"}


BRANCH = "def work(n):\n    if n > 1e9:\n        {}\n    return 0\n"
VECTOR = """\
class Vector:
    def __init__(self, n):
        self.n = n
    def __add__(self, other):
        return self.n
"""
TEMPLATE = "class Base:\n    def run(self, n):\n        return self.step(n) if n > 1e9 else 0\n"
NOT_TAKEN = {
    "an object": (
        "class Engine:\n    def run(self, n):\n        return n\nengine = Engine()\n",
        "from pkg.used import engine\n" + BRANCH.format("return engine.run(n)"),
    ),
    "a cached function": (
        "import functools\n@functools.lru_cache\ndef slow(n):\n    return n\n",
        "from pkg.used import slow\n" + BRANCH.format("return slow(n)"),
    ),
    "another name": (
        "def slow(n):\n    return n\nfast = slow\n",
        "from pkg.used import fast as f\n" + BRANCH.format("f(n)"),
    ),
    "a table": (
        "def slow(n):\n    return n\nTABLE = {'a': slow}\n",
        "from pkg.used import TABLE\n" + BRANCH.format("TABLE[n](n)"),
    ),
    "a registry": (
        "KNOWN = {}\ndef known(f):\n    KNOWN[f.__name__] = f\n    return f\n@known\ndef slow(n):\n    return n\n",
        "from pkg.used import KNOWN\n" + BRANCH.format("return KNOWN[str(n)](n)"),
    ),
    "a computed name": (
        "class Visitor:\n    def visit_list(self, n):\n        return n\n",
        "from pkg.used import Visitor\n" + BRANCH.format("return getattr(Visitor(), f'visit_{n}')(n)"),
    ),
    "a method of a class that a loop registered": (
        "ALL = []\nclass Engine:\n    def run(self, n):\n        return n\nfor one in (Engine,):\n    ALL += [one()]\n",
        "from pkg.used import ALL\n" + BRANCH.format("return ALL[0].run(n)"),
    ),
    "an operator": (VECTOR, "from pkg.used import Vector\n" + BRANCH.format("return Vector(1) + Vector(2)")),
    "an inherited method": (
        VECTOR,
        "from pkg.used import Vector\nclass Mine(Vector):\n    pass\n" + BRANCH.format("Mine(n)"),
    ),
    "a descriptor": (
        "class Lazy:\n    def __get__(self, one, kind=None):\n        return one\n",
        "from pkg.used import Lazy\nclass Box:\n    size = Lazy()\n" + BRANCH.format("return Box().size"),
    ),
    "an import in the branch": (
        "def slow(n):\n    return n\n",
        BRANCH.format("from pkg import used; return used.slow(n)"),
    ),
}


@pytest.mark.parametrize(("used", "core"), NOT_TAKEN.values(), ids=NOT_TAKEN)
def test_code_behind_a_branch_that_was_not_taken_counts(tmp_path: Path, used: str, core: str):
    files = {"pkg/used.py": used, "pkg/core.py": core, "bench/test_a.py": "", "bench/test_b.py": ""}
    project = Stranger(tmp_path, files)
    last = used.rindex("return ")
    project.write({"pkg/used.py": used[:last] + "return 0 or " + used[last:].removeprefix("return ")})
    modules = [file for file in files if file != "pkg/used.py" or "in the branch" not in core]
    loaded = frozenset(Executed(file, MODULE) for file in modules)
    assert list(reasons(project, Touched(executed=loaded | {Executed("pkg/core.py", "work")}))) == [WORKS]


def test_a_step_that_a_base_class_calls_counts_where_it_is_overridden(project: Stranger):
    mine = "from pkg.base import Base\nclass Mine(Base):\n    def step(self, n):\n        return n\n"
    test = "from pkg.mine import Mine\ndef test_work(jarvis_bench):\n    jarvis_bench(Mine().run, 3)\n"
    project.write({"pkg/base.py": TEMPLATE, "pkg/mine.py": mine, "bench/test_a.py": test})
    project.commit()
    changed(project, "pkg/mine.py", "return n", "return 0 or n")
    loaded = frozenset(Executed(file, MODULE) for file in ("pkg/base.py", "pkg/mine.py", "bench/test_a.py"))
    executed = {Executed("pkg/base.py", "Base.run"), Executed("bench/test_a.py", "test_work")}
    assert reasons(project, Touched(executed=loaded | executed)) == {WORKS: "Mine.step in pkg/mine.py changed"}


def test_functions_of_the_same_name_in_files_that_do_not_know_each_other_are_told_apart(project: Stranger):
    project.write({"pkg/other.py": "class Other:\n    def work(self):\n        return 1\ndef work(n):\n    return n\n"})
    project.commit()
    changed(project, "pkg/other.py", "return", "return 0 or")
    assert reasons(project, Touched(executed=TOUCHED.executed | {Executed("pkg/other.py", MODULE)})) == {}


NEXT_TO = "it opens pkg/b.json, which is next to pkg/table.json"


@pytest.mark.parametrize(
    ("name", "works", "reason"),
    [
        ("pkg/logo.png", Touched(native=frozenset({"reader"})), "reader may read pkg/logo.png"),
        ("pkg/NEWS20.csv", Touched(native=frozenset({"reader"})), "reader may read pkg/NEWS20.csv"),
        ("pkg/docs/corpus.json", Touched(native=frozenset({"reader"})), "reader may read pkg/docs/corpus.json"),
        ("pkg/table.json", Touched(opened=frozenset({"pkg/b.json"})), NEXT_TO),
    ],
)
def test_data_counts_for_those_who_may_read_it_unseen(tmp_path: Path, name: str, works: Touched, reason: str):
    project = Stranger(tmp_path, {name: "1", "bench/test_a.py": "", "bench/test_b.py": ""})
    project.write({name: "2"})
    assert reasons(project, works) == {WORKS: reason}


def test_data_that_is_named_in_a_branch_that_was_not_taken_counts(project: Stranger):
    project.write({"pkg/reads.py": "PLACE = 'data/table.json'\n" + BRANCH.format("return open(PLACE).read()")})
    project.commit()
    project.write({"pkg/table.json": "[]"})
    executed = {Executed("pkg/reads.py", "work"), Executed("pkg/reads.py", MODULE)}
    assert reasons(project, Touched(executed=frozenset(executed))) == {WORKS: "it may open pkg/table.json"}


def test_compiled_python_and_new_folders_count(project: Stranger):
    project.write({"pkg/fast.pyc": ""})
    assert reasons(project) == dict.fromkeys(IDS, "pkg/fast.pyc changed")
    (project.root / "pkg/fast.pyc").unlink()
    project.write({"pkg/plugins/new/__init__.py": ""})
    listing = Touched(listed=frozenset({"pkg/plugins"}))
    assert reasons(project, listing) == {WORKS: "it lists the folder of pkg/plugins/new/__init__.py"}


def test_a_benchmark_that_finds_a_file_of_another_depends_on_what_that_one_touches(project: Stranger):
    changed(project, "pkg/core.py", "return n\n", "return n + 1\n")
    maker = Touched(executed=TOUCHED.executed, writes=frozenset({"/tmp/made"}))
    finder = Touched(executed=LOADED, reads=frozenset({"/tmp/made"}))
    change = read_change(resolve(project.root, "HEAD", exact=True))
    found = reasons_to_run(change, [Side(project.root, Watched({WORKS: maker, OTHER: finder}))], IDS)
    assert found == dict.fromkeys(IDS, "work in pkg/core.py changed")


def test_a_change_that_git_was_told_to_overlook_is_seen_in_the_arms(project: Stranger, tmp_path: Path):
    for arm in ("base", "head"):
        project.git("worktree", "add", "-q", str(tmp_path / arm))
    changed(project, "head/pkg/core.py", "return n\n", "return n + 1\n")
    project.git("clean", "-qfd")
    project.git("update-index", "--assume-unchanged", "pkg/core.py")
    change = read_change(resolve(project.root, "HEAD", exact=True), (tmp_path / "base", tmp_path / "head"))
    assert [(file.name, file.exists) for file in change.files if not file.name.startswith(("base", "head"))] == [
        ("pkg/core.py", True)
    ]
