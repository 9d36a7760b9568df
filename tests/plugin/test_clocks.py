"""Tests frozen and patched clocks: figures, budgets and dates come from the real ones."""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Any

import pytest
from git_project import GitProject
from waiting import PROCESS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

QUICKLY = ("--jarvis-bench", "--jarvis-budget=0.05", "-p", "no:asyncio")
IN_A_SESSION = """
import freezegun, pytest

@pytest.fixture(autouse=True, scope="session")
def frozen():
    with freezegun.freeze_time("2001-02-03"):
        yield
"""
BY_HAND = """
import time

for name in ("time", "monotonic", "perf_counter", "process_time"):
    setattr(time, name, lambda: 5.0)
"""
FROZEN = {
    "freezegun, in a test": ("", "import freezegun\n@freezegun.freeze_time('2001-02-03')\n"),
    "freezegun, from a conftest's import on": ("import freezegun\nfreezegun.freeze_time('2001-02-03').start()\n", ""),
    "freezegun, in a session's fixture": (IN_A_SESSION, ""),
    "time-machine, from a conftest's import on": (
        "import time_machine\ntime_machine.travel('2001-02-03', tick=False).start()\n",
        "",
    ),
    "patched by hand": ("", BY_HAND),
    "patched backwards": (
        "",
        "import itertools, time\ntime.perf_counter = time.process_time = itertools.count(0, -1).__next__\n",
    ),
}


def frozen(how: str) -> tuple[str, str]:
    """Return a conftest and a benchmark in which the clocks are stopped in one of the ways."""
    conftest, start = FROZEN[how]
    return conftest, f"{start}def test_sum(jarvis_bench):\n    jarvis_bench(sum, range(1000))\n"


def report_of(pytester: pytest.Pytester) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((pytester.path / "reports" / "report.json").read_text())
    return found


def check_date(report: dict[str, Any]) -> None:
    created = datetime.datetime.fromisoformat(report["created"])
    assert abs(datetime.datetime.now(datetime.UTC) - created) < datetime.timedelta(hours=1)


@pytest.mark.parametrize("how", FROZEN)
def test_figures_are_those_of_the_real_clock(pytester: pytest.Pytester, require: Callable[[str], Any], how: str):
    if "patched" not in how:
        require("time_machine" if "time-machine" in how else "freezegun")
    conftest, test = frozen(how)
    pytester.makeconftest(conftest)
    pytester.makepyfile(test)
    result = pytester.runpytest_subprocess(*QUICKLY, timeout=PROCESS_SECONDS)
    assert result.ret == 0
    report = report_of(pytester)
    assert 1e-7 < report["benchmarks"][0]["metrics"]["time"]["head"]["median"] < 1e-2
    assert 0 < report["seconds"] < 1000  # frozen or set back, it would be 0 or less, or the time since 2001
    check_date(report)


@pytest.mark.usefixtures("with_reasons")
def test_lockstep_and_profiles_use_the_real_clocks(pytester: pytest.Pytester, require: Callable[[str], Any]):
    require("freezegun")
    project = GitProject(pytester)
    work = "def work(n):\n    return sum(i * i for i in range(n))\n"
    project.write("pkg/__init__.py", work)
    project.write("conftest.py", frozen("freezegun, from a conftest's import on")[0])
    project.write("test_bench.py", "import pkg\ndef test_work(jarvis_bench):\n    jarvis_bench(pkg.work, 1000)\n")
    project.commit()
    project.write("pkg/__init__.py", work.replace("range(n)", "range(20 * n)"))
    words = ("--jarvis-against=HEAD", "--jarvis-budget=0.2", "--jarvis-launches=2", "--jarvis-profile")
    project.run(*QUICKLY[:1], *words, *QUICKLY[2:])
    report = report_of(pytester)
    entry = report["benchmarks"][0]
    assert 5 < entry["metrics"]["time"]["ratio"] < 80
    assert "pkg/__init__.py" in json.dumps(entry["profile"])
    check_date(report)
