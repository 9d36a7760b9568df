"""Tests the allowed values of the command line, the ini file and the markers."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from jarvisperf.gate.verdict.decide import LOOKS
from jarvisperf.measure.metrics import BUILT_IN
from pytest_jarvisperf.start.marker_names import BUILT_IN_METRICS
from pytest_jarvisperf.start.option_table import DEFAULT_THRESHOLDS, MOST_LAUNCHES

USAGE_ERROR = pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon", ""])
def test_a_budget_that_is_no_positive_number_is_a_usage_error(pytester: pytest.Pytester, value: str):
    result = pytester.runpytest_inprocess("--jarvis-bench", f"--jarvis-budget={value}")
    assert result.ret == USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--jarvis-budget: '{value}' is not allowed; give a number of seconds above 0*"])


@pytest.mark.parametrize("url", ["memcached://here", "redis://h:abc", "here:6379"])
def test_an_unknown_redis_is_a_usage_error(pytester: pytest.Pytester, url: str):
    result = pytester.runpytest_inprocess(f"--jarvis-redis={url}")
    assert result.ret == USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--jarvis-redis: '{url}' is not allowed; give auto, fake, or a URL*"])


def test_no_more_launches_may_be_asked_for_than_a_verdict_looks_at():
    assert LOOKS[-1] == MOST_LAUNCHES


def test_an_empty_report_folder_is_a_usage_error(pytester: pytest.Pytester):
    assert pytester.runpytest_inprocess("--jarvis-bench", "--jarvis-report=").ret == USAGE_ERROR


@pytest.mark.parametrize("option", ["--jarvis-store", "--jarvis-report"])
def test_a_folder_that_pytest_takes_for_one_of_tests_is_a_usage_error(
    pytester: pytest.Pytester, option: str, tmp_path_factory: pytest.TempPathFactory
):
    pytester.makeini("[pytest]\n")
    pytester.makepyfile("def test_it(): pass")
    elsewhere = str(tmp_path_factory.mktemp("elsewhere"))
    result = pytester.runpytest_subprocess(option, elsewhere)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"*{option} {elsewhere}: pytest mistook that folder for a test folder, *{option}={elsewhere}"]
    )
    for words in ([f"{option}={elsewhere}"], ["-c", "tox.ini", option, elsewhere], [option, "."], [option, "../new"]):
        assert pytester.runpytest_subprocess(*words).ret == 0


def test_the_ini_file_says_what_the_command_line_does_not(pytester: pytest.Pytester):
    pytester.makeini("[pytest]\njarvis_bench = true\njarvis_budget = 0.05\njarvis_report = out")
    pytester.makepyfile("def test_a(jarvis_bench): jarvis_bench(lambda: None)")
    result = pytester.runpytest_subprocess("--jarvis-report=other", "-p", "no:asyncio")
    result.stdout.fnmatch_lines(["*measuring, 0.05 s per benchmark*"])
    assert (pytester.path / "other" / "report.json").exists()
    assert not (pytester.path / "out").exists()


@pytest.mark.parametrize(
    ("marker", "complaint"),
    [
        ("jarvis_bench(colour='red')", "has no key 'colour'; it takes group, budget, warmup, setup, before"),
        ("jarvis_bench('search')", "takes keywords only (group, budget, warmup, setup, before), got 'search'"),
        ("jarvis_bench(budget=0)", "budget=0 is not allowed; give seconds above 0"),
        ("jarvis_bench(budget='2s')", "budget='2s' is not allowed; give seconds above 0"),
        ("jarvis_bench(budget=True)", "budget=True is not allowed; give seconds above 0"),
        ("jarvis_bench(warmup=-1)", "warmup=-1 is not allowed; give seconds from 0"),
        ("jarvis_bench(group='')", "group='' is not allowed; give a name"),
        ("jarvis_bench(setup=3)", "setup=3 is not allowed; give a plain function"),
        ("jarvis_cache(tiers=('tape',))", "tiers=('tape',) is not allowed; give a tuple of 'memory', 'redis', 'disk'"),
        ("jarvis_cache(tiers='memory')", "tiers='memory' is not allowed; give a tuple of"),
        ("jarvis_cache(redis=1)", "redis=1 is not allowed; give a Redis URL"),
        ("jarvis_cache(redis='here')", "redis='here' is not allowed; give a Redis URL"),
        ("jarvis_threshold(time='fast')", "time='fast' is not allowed; give a percentage like '5%' or 'off'"),
        ("jarvis_threshold(max_time='2')", "max_time='2' is not allowed; give a time like '2ms'"),
        ("jarvis_threshold(max_memory='2ms')", "max_memory='2ms' is not allowed; give a size like '50MB'"),
        ("jarvis_threshold(speed='5%')", "has no key 'speed'; it takes time, memory, startup, allocations"),
    ],
)
def test_a_wrong_marker_is_a_usage_error_that_names_test_key_and_forms(
    pytester: pytest.Pytester, marker: str, complaint: str
):
    pytester.makepyfile(f"import pytest\n@pytest.mark.{marker}\ndef test_a(): pass")
    result = pytester.runpytest_inprocess()
    assert result.ret == USAGE_ERROR
    assert complaint in result.stderr.str()
    assert "::test_a: jarvis_" in result.stderr.str()


def test_a_setup_that_is_a_coroutine_function_is_a_usage_error_that_names_the_test(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        async def setup(): pass

        @pytest.mark.jarvis_bench(setup=setup)
        def test_a(jarvis_bench): pass
        """
    )
    result = pytester.runpytest_inprocess()
    assert result.ret == USAGE_ERROR
    assert "::test_a: jarvis_bench: setup=" in result.stderr.str()


def test_the_marker_closest_to_the_test_counts_key_by_key(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import json, pytest

        pytestmark = pytest.mark.jarvis_bench(group="module", budget=0.02)

        @pytest.mark.jarvis_bench(group="test")
        def test_a(jarvis_bench): jarvis_bench(lambda: None)
        def test_b(jarvis_bench): jarvis_bench(lambda: None)
        """
    )
    pytester.runpytest_subprocess("--jarvis-bench", "--jarvis-report-formats=text", "-p", "no:asyncio")
    text = (pytester.path / "reports" / "report.txt").read_text()
    assert [line.split()[0] for line in text.splitlines() if "test_" in line] == ["test", "module"]


def test_the_markers_are_known_to_strict_projects(pytester: pytest.Pytester):
    pytester.makepyfile(
        "import pytest\n@pytest.mark.jarvis_bench(group='a')\n@pytest.mark.jarvis_cache()\ndef test_a(): pass"
    )
    assert pytester.runpytest_subprocess("--strict-markers").ret == 0


def test_the_plugin_loads_no_library_for_tests_that_do_not_measure():
    heavy = ("msgspec", "rich", "redis", "diskcache", "jarvisperf.bench", "jarvisperf.cache", "jarvisperf.runs")
    code = (
        "import sys, pytest; pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', sys.argv[1]]); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, "/dev/null"], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]"


LATE = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.name == "test_whole":
            item.add_marker(pytest.mark.benchmark(group="late"))

def pytest_runtest_setup(item):
    if item.name == "test_fixture":
        item.add_marker(pytest.mark.jarvis_bench(group="later", budget=0.03))
    if item.name == "test_wrong":
        item.add_marker(pytest.mark.jarvis_bench(grupe="typo"))
"""


@pytest.mark.parametrize("words", [(), ("-p", "xdist", "-n1")], ids=["alone", "xdist"])
def test_markers_that_are_added_late_count(pytester: pytest.Pytester, words: tuple[str, ...]):
    pytester.makeconftest(LATE)
    pytester.makepyfile(
        """
        def test_whole():
            sum(range(100))

        def test_fixture(jarvis_bench):
            jarvis_bench(sum, range(100))

        def test_wrong(jarvis_bench):
            jarvis_bench(sum, range(100))
        """
    )
    result = pytester.runpytest_subprocess("--jarvis-bench", "--jarvis-budget=0.02", "-p", "no:asyncio", *words)
    result.assert_outcomes(passed=2, errors=1)
    assert "'grupe'" in result.stdout.str()
    benchmarks = json.loads((pytester.path / "reports" / "report.json").read_text())["benchmarks"]
    assert [one["group"] for one in benchmarks] == ["late", "later", None]


def test_the_help_lists_our_options_in_the_order_of_use_with_defaults(pytester: pytest.Pytester):
    text = pytester.runpytest("--help").stdout.str()
    ours = text[text.index("benchmarks (jarvisperf)") :].split("\n\n")[0]
    names = re.findall(r"^  --jarvis-([a-z-]+)", ours, flags=re.MULTILINE)
    order = ["bench", "budget", "against", "threshold", "save", "compare", "store", "report", "profile", "shard"]
    assert [name for name in names if name in order] == order
    assert ours.count("Default:") == len(names)
    assert "time=5%, memory=10%" in " ".join(ours.split())


def test_what_is_written_down_for_idle_sessions_is_what_the_metrics_say():
    shares = ", ".join(f"{name}={share * 100:g}%" for name, share in BUILT_IN.thresholds.items())
    assert (DEFAULT_THRESHOLDS, list(BUILT_IN_METRICS)) == (shares, [kind.name for kind in BUILT_IN])
