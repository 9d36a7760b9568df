"""Tests which benchmarks a change can affect, given what they touch; in doubt, it is all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stranger import Stranger

from jarvisperf.gate.affected import Side, Watched, read_change, reasons_to_run
from jarvisperf.gate.affected.module_parts import module_parts
from jarvisperf.gate.affected.touched import MODULE, Executed, Touched
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
    watched = Watched({WORKS: works, OTHER: BYSTANDER}, {"bench/test_a.py": frozenset({"pkg/core.py"})})
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


def test_a_test_file_that_another_module_uses_is_an_ordinary_module(project: Stranger):
    project.write({"bench/test_b.py": "x = 1"})
    watched = Watched({WORKS: TOUCHED, OTHER: BYSTANDER}, {"bench/test_a.py": frozenset({"bench/test_b.py"})})
    change = read_change(resolve(project.root, "HEAD", exact=True))
    found = reasons_to_run(change, [Side(project.root, watched)], IDS)
    assert found == {WORKS: "what bench/test_b.py does on import changed", OTHER: "its own file changed"}
