"""Tests the hooks for other plugins: each docstring's example runs, and errors name the plugin that caused them."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from git_project import GitProject
from waiting import PROCESS_SECONDS

from pytest_jarvisperf import hooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.runs.store import Entry

TESTS = """
import pytest

def work(n):
    return sum(i * i for i in range(n))

def test_one(jarvis_bench):
    jarvis_bench(work, 500)

@pytest.mark.jarvis_bench(group="chosen by its marker")
def test_two(jarvis_bench):
    jarvis_bench(work, 300)
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Run two benchmarks with a conftest.py; code that loads numpy needs a separate process."""
    pytester.makepyfile(test_sums=TESTS)

    def run(conftest: str, *words: str, here: bool = False) -> pytest.RunResult:
        pytester.makeconftest(conftest)
        bench = ("--jarvis-bench", "--jarvis-budget=0.02", "-p", "no:asyncio")
        return (
            pytester.runpytest_inprocess(*bench, *words)
            if here
            else pytester.runpytest_subprocess(*bench, *words, timeout=PROCESS_SECONDS)
        )

    return run


def example(hook: str) -> str:
    """Return the code of the example in a hook's docstring."""
    text = inspect.getdoc(getattr(hooks, hook))
    assert text is not None
    return textwrap.dedent(text.partition("Example::\n")[2])


def report(pytester: pytest.Pytester) -> dict[str, Any]:
    return json.loads((pytester.path / "reports" / "report.json").read_text())


def stored(pytester: pytest.Pytester) -> tuple[Entry, ...]:
    from jarvisperf.runs.store import open_store

    return tuple(open_store(".jarvisperf", pytester.path).entries())


def test_every_hook_has_an_example():
    names = [name for name in vars(hooks) if name.startswith("pytest_")]
    assert names
    for name in names:
        assert f"def {name}(" in example(name)


def test_a_plugin_names_the_group_of_benchmarks_that_name_none(pytester, run):
    assert run(example("pytest_jarvis_benchmark_group")).ret == 0
    assert [one["group"] for one in report(pytester)["benchmarks"]] == ["sums", "chosen by its marker"]


def test_facts_of_a_plugin_are_in_the_report_and_belong_to_the_machine(pytester, run, monkeypatch):
    monkeypatch.setenv("RUNNER_NAME", "tower")
    words = ("--jarvis-save=main", "--jarvis-report-formats=json,html")
    assert run(example("pytest_jarvis_machine_facts"), *words).ret == 0
    assert report(pytester)["machine"]["facts"] == {"runner": "tower", "numa_nodes": 1}
    page = (pytester.path / "reports" / "report.html").read_text()
    assert re.search(r"runner\W.*tower", page, re.DOTALL)
    monkeypatch.setenv("RUNNER_NAME", "shed")
    assert run(example("pytest_jarvis_machine_facts"), "--jarvis-save=main").ret == 0
    fingerprints = {entry.fingerprint for entry in stored(pytester)}
    assert len(fingerprints) == 2
    run("", "--jarvis-save=main")
    assert "facts" not in report(pytester)["machine"]


def test_a_plugin_adds_a_format_that_can_be_selected(pytester, run):
    assert run(example("pytest_jarvis_report_formats"), "--jarvis-report-formats=json,verdicts").ret == 0
    folder = pytester.path / "reports"
    assert (folder / "verdicts.txt").read_text().splitlines() == [
        f"test_sums.py::test_{name} time new" for name in ("one", "two")
    ]
    assert {path.name for path in folder.iterdir()} == {".gitignore", "report.json", "verdicts.txt"}


def test_a_plugin_that_returns_none_adds_nothing(pytester, run):
    names = ("benchmark_group", "machine_facts", "metrics", "report_formats")
    assert run("\n".join(f"def pytest_jarvis_{name}(): return None" for name in names)).ret == 0
    assert report(pytester)["benchmarks"][0]["group"] is None


def test_a_format_that_fails_costs_no_other_format(pytester, run):
    broken = example("pytest_jarvis_report_formats").replace("    lines = [", "    1 / 0\n    lines = [")
    result = run(broken, "--jarvis-report-formats=json,verdicts")
    result.stdout.fnmatch_lines(["*the report could not be written: ZeroDivisionError: division by zero (verdicts)*"])
    assert len(report(pytester)["benchmarks"]) == 2


def test_a_plugin_learns_of_a_finished_run(pytester, run):
    assert run(example("pytest_jarvis_run_finished")).ret == 0
    assert (pytester.path / "summary.txt").read_text() == "2 benchmarks, slower: none"


TOLD = """
def pytest_jarvis_run_finished(config, run, findings):
    reports = config.rootpath / "reports"
    figures = [one.metrics["time"].summary.samples > 0 for one in run.benchmarks]
    text = f"{findings.mode} {figures} {(reports / 'report.json').exists()}"
    (config.rootpath / "told.txt").write_text(text)
"""


def test_it_is_told_when_stored_runs_are_compared(pytester, run):
    assert run("", "--jarvis-save=main").ret == 0
    run(TOLD, "--jarvis-compare=main", "--jarvis-threshold=off")
    assert (pytester.path / "told.txt").read_text() == "baseline [True, True] True"


def test_it_is_told_in_lockstep(pytester, run):
    project = GitProject(pytester)
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "first")
    run(TOLD, "--jarvis-against=HEAD", "--jarvis-launches=2")
    assert (pytester.path / "told.txt").read_text() == "lockstep [True, True] True"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("group(item): raise KeyError('x')", "raised KeyError: 'x'"),
        ("group(item): return 3", "returned 3 for test_sums.py::test_one; return a name or None"),
        ("group(item): return ''", "returned '' for test_sums.py::test_one; return a name or None"),
        ("facts(config): return ['a']", "returned ['a']; return a dictionary with the facts by name"),
        ("facts(config): return {'a': object}", "returned facts that JSON cannot hold: Object of type type is not"),
        ("facts(config): return {'a': float('nan')}", "returned facts that JSON cannot hold: Out of range float"),
        ("facts(config): raise OSError('no such device')", "raised OSError: no such device"),
        ("formats(config): return 'html'", "returned 'html'; return a list of ReportFormat"),
        ("formats(config): return [print]", "returned [<built-in function print>]; return a list of ReportFormat"),
    ],
)
def test_a_mistake_ends_the_run_with_a_line_that_names_plugin_and_hook(pytester, run, body, message):
    names = {"group": "benchmark_group", "facts": "machine_facts", "formats": "report_formats"}
    hook = f"pytest_jarvis_{names[body.partition('(')[0]]}"
    result = run(f"def {hook}({body.partition('(')[2]}", here=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in result.errlines + result.outlines if message in line]
    assert lines
    assert "conftest.py" in lines[0]
    assert hook in lines[0]
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_a_wrapper_of_a_hook_is_refused(run):
    text = (
        "import pytest\n@pytest.hookimpl(wrapper=True)\ndef pytest_jarvis_machine_facts(config):\n    return (yield)\n"
    )
    result = run(text, here=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "pytest_jarvis_machine_facts is a wrapper, which is not supported" in result.stderr.str()


def test_two_plugins_cannot_report_the_same_fact(pytester, run):
    pytester.makepyfile(other_facts="def pytest_jarvis_machine_facts(): return {'gpu': 'none'}")
    result = run("pytest_plugins = ['other_facts']\ndef pytest_jarvis_machine_facts(): return {'gpu': 1}", here=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert re.search(r"returned 'gpu', as plugin .* has done; rename one of them", result.stderr.str())


def test_one_that_fails_after_the_run_keeps_no_report_back_and_no_other_plugin_from_being_told(pytester, run):
    pytester.makepyfile(other_told=TOLD)
    broken = (
        "pytest_plugins = ['other_told']\ndef pytest_jarvis_run_finished(): raise RuntimeError('no network\\nat all')"
    )
    result = run(broken)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "pytest_jarvis_run_finished raised RuntimeError: no network" in result.stdout.str()
    assert len(report(pytester)["benchmarks"]) == 2
    assert (pytester.path / "told.txt").exists()


def test_without_measuring_only_metrics_are_asked_for(pytester):
    names = {name for name in vars(hooks) if name.startswith("pytest_jarvis_")} - {"pytest_jarvis_metrics"}
    text = "\n".join(f"def {name}(): raise RuntimeError" for name in names)
    pytester.makepyfile(test_sums=TESTS)
    pytester.makeconftest(text)
    pytester.runpytest_subprocess("-p", "no:asyncio").assert_outcomes(passed=2)
