"""Tests a run's outputs: reports, profiles, shards and GitHub annotations, also with broken terminals and folders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from waiting import PROCESS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

BENCH = ("--jarvis-bench", "--jarvis-budget=0.02", "-p", "no:asyncio")
TESTS = """
import pytest

def work(n):
    return sum(i * i for i in range(n))

def test_one(jarvis_bench):
    jarvis_bench(work, 500)

def test_two(jarvis_bench):
    jarvis_bench(work, 300)

def test_three(jarvis_bench):
    jarvis_bench(work, 200)

def test_plain():
    pass
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(test_bench=TESTS)
    return lambda *words: pytester.runpytest_subprocess(*BENCH, *words, timeout=PROCESS_SECONDS)


def report(pytester: pytest.Pytester, folder: str = "reports") -> dict[str, Any]:
    return json.loads((pytester.path / folder / "report.json").read_text())


@pytest.mark.usefixtures("as_installed")
def test_every_format_is_there_and_knows_the_tests_line(pytester: pytest.Pytester, run: Callable[..., Any]):
    result = run("--jarvis-save=main", "--junitxml=junit.xml")
    assert result.ret == 0
    assert "jarvisperf: 3 benchmarks, about 0.06 s of measuring" in result.stdout.str()
    names = {path.name for path in (pytester.path / "reports").iterdir()}
    assert {"report.html", "report.json", "report.md", "report.txt", "report.csv", "metrics.txt"} <= names
    assert [one["line"] for one in report(pytester)["benchmarks"]] == [6, 9, 12]
    assert 'name="jarvis_time_median"' in (pytester.path / "junit.xml").read_text()
    assert run("--jarvis-save=main").ret == 0
    assert "1 stored runs" not in (pytester.path / "reports" / "report.html").read_text()


def test_a_profile_is_taken_after_the_measurement(pytester: pytest.Pytester, run: Callable[..., Any]):
    pytester.makepyfile(test_bench=TESTS.replace("def test_one", "@pytest.mark.jarvis_profile(top=3)\ndef test_one"))
    assert run("-k", "one or two").ret == 0
    one, two = report(pytester)["benchmarks"]
    assert (one["profile"]["engine"], one["profile"]["top"]) == ("pyinstrument", 3)
    assert any(frame[0] == "work" and frame[3] for frame in one["profile"]["frames"])
    assert two["profile"] is None
    assert run("-k", "two", "--jarvis-profile", "--jarvis-profile-engine=cprofile").ret == 0
    assert report(pytester)["benchmarks"][0]["profile"]["engine"] == "cprofile"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--jarvis-profile-engine=perf",), "--jarvis-profile-engine: 'perf' is not allowed; give one of pyinstrument"),
        (("--jarvis-shard=5/4",), "--jarvis-shard: '5/4' is not allowed; give a part like 1/4"),
        (("--jarvis-shard=half",), "--jarvis-shard: 'half' is not allowed"),
        (("--jarvis-against=",), "--jarvis-against: the value is empty, perhaps because a variable is not set"),
        (("--jarvis-compare=",), "--jarvis-compare: the value is empty"),
    ],
)
def test_what_is_not_allowed_is_a_usage_error(run: Callable[..., Any], words: tuple[str, ...], complaint: str):
    result = run(*words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert complaint in result.stderr.str()


def test_shards_together_are_the_whole_if_they_were_cut_by_the_same_run(
    pytester: pytest.Pytester, run: Callable[..., Any]
):
    from jarvisperf.report.findings.merging import MergeError, merged
    from jarvisperf.report.formats.json import decode_findings

    assert (
        "part 1/2, dealt out in turns: no run in empty says how" in run(*shard(1), "--jarvis-store=empty").stdout.str()
    )
    stray = decode_findings((pytester.path / "part1" / "report.json").read_bytes())
    run("--jarvis-save=main")
    results = [run(*shard(number)) for number in (1, 2)]
    for number, result in enumerate(results, 1):
        result.stdout.fnmatch_lines(
            [f"*part {number}/2, balanced by how long benchmarks took in main (*): expected 1/2 *"]
        )
    parts = [decode_findings((pytester.path / f"part{number}" / "report.json").read_bytes()) for number in (1, 2)]
    whole, warnings = merged(parts)
    assert sorted(one.id for one in whole.benchmarks) == [f"test_bench.py::test_{n}" for n in ("one", "three", "two")]
    assert warnings == []
    with pytest.raises(MergeError, match=r"cut differently.*: part 1/2 by no durations, part 2/2 by main \("):
        merged([stray, parts[1]])


def shard(number: int) -> tuple[str, str]:
    return f"--jarvis-shard={number}/2", f"--jarvis-report=part{number}"


def test_a_part_without_benchmarks_is_an_error_that_says_into_how_many_to_cut(
    pytester: pytest.Pytester, run: Callable[..., Any]
):
    result = run("--jarvis-shard=4/4")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert (
        "--jarvis-shard 4/4: this part is empty: the suite has 3 benchmarks; use at most 3, like "
        "--jarvis-shard 3/3" in result.stderr.str()
    )
    assert not (pytester.path / "reports").exists()
    pair = TESTS.replace("def test_two", "@pytest.mark.jarvis_bench(before='test_one')\ndef test_two")
    pytester.makepyfile(test_bench=pair)
    assert "3 benchmarks, and pairs (before=) stay together" in run("--jarvis-shard=3/3").stderr.str()
    run("-k", "plain", "--jarvis-shard=2/2").assert_outcomes(passed=1, deselected=3)


def test_without_measuring_a_part_without_benchmarks_is_no_error(pytester: pytest.Pytester):
    pytester.makepyfile(test_bench=TESTS)
    result = pytester.runpytest_subprocess("--jarvis-shard=4/4", "-p", "no:asyncio")
    result.assert_outcomes(passed=1, deselected=3)


def test_github_gets_annotations_and_a_summary(
    pytester: pytest.Pytester, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    summary = pytester.path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path.parent))
    pytester.makepyfile(test_bench="def test_a(jarvis_bench):\n    jarvis_bench(lambda: 1 / 0)\n")
    result = run()
    assert result.ret == 1
    place = f"file={pytester.path.name}/test_bench.py,line=1"
    result.stdout.fnmatch_lines([f"::error {place},title=test_a failed::ZeroDivisionError: *"])
    assert summary.read_text().startswith("# Benchmarks")


def test_a_folder_that_cannot_be_written_is_a_usage_error_before_anything_is_measured(
    pytester: pytest.Pytester, run: Callable[..., Any]
):
    (pytester.path / "taken").write_text("a file")
    result = run("--jarvis-report=taken/reports")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "::test_" not in result.stdout.str()
    result.stderr.fnmatch_lines(
        ["*--jarvis-report: */taken is a file, so no report can be written to */taken/reports: *"]
    )


@pytest.mark.parametrize(
    "variables", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"PYTHONIOENCODING": "ascii"}, {"COLUMNS": "20"}]
)
def test_any_terminal_shows_the_result(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = run()
    assert result.ret == 0
    assert "3 benchmarks measured" in result.stdout.str()
    assert "\x1b" not in result.stdout.str()


@pytest.mark.usefixtures("as_installed")
def test_names_in_any_script_and_of_any_length(pytester: pytest.Pytester, run: Callable[..., Any]):
    pytester.makepyfile(
        test_bench="""
        import pytest

        @pytest.mark.parametrize("name", ["漢字", "اختبار", "x" * 300, "<script>alert(1)</script>", "a|b`c"],
                                 ids=lambda name: name)
        def test_a(jarvis_bench, name):
            jarvis_bench(len, name)
        """
    )
    result = run()
    assert result.ret == 0
    ids = [one["id"] for one in report(pytester)["benchmarks"]]
    assert any("x" * 300 in one for one in ids)
    page = (pytester.path / "reports" / "report.html").read_text()
    assert page.count("<script>") == 1


def test_a_folder_with_somebody_elses_file_is_refused_before_anything_is_measured(
    pytester: pytest.Pytester, run: Callable[..., Any]
):
    docs = pytester.mkdir("docs")
    (docs / "report.md").write_text("theirs")
    words = ("--jarvis-report=docs", "--jarvis-report-formats=json,markdown")
    result = run(*words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"--jarvis-report: {docs / 'report.md'} would be overwritten" in result.stderr.str()
    assert (docs / "report.md").read_text() == "theirs"
    assert run(*words, "--collect-only").ret == 0


def test_the_formats_of_the_report_can_be_chosen(pytester: pytest.Pytester, run: Callable[..., Any]):
    result = run("--jarvis-report-formats=json, csv")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["Report in reports: report.json, report.csv"])
    assert {path.name for path in (pytester.path / "reports").iterdir()} == {".gitignore", "report.json", "report.csv"}


def test_an_unknown_format_of_the_report_is_a_usage_error(run: Callable[..., Any]):
    result = run("--jarvis-report-formats=json,pdf")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--jarvis-report-formats: unknown report format 'pdf'; choose from: json, text, " in result.stderr.str()


SKIPPING = """
import pytest

@pytest.mark.skip(reason="needs a database")
def test_insert(jarvis_bench):
    jarvis_bench(len, "x")

@pytest.mark.xfail(reason="not yet")
def test_later(jarvis_bench):
    raise ValueError
"""


def test_skipped_benchmarks_have_rows_and_the_last_line_counts_them(pytester: pytest.Pytester, run: Callable[..., Any]):
    pytester.makepyfile(test_more=SKIPPING)
    result = run("--junitxml=junit.xml")
    assert result.ret == 0
    found = {one["id"].partition("::")[2]: one["skipped"] for one in report(pytester)["benchmarks"]}
    assert found == {
        "test_one": None,
        "test_two": None,
        "test_three": None,
        "test_insert": "needs a database",
        "test_later": "expected to fail: not yet",
    }
    last = result.outlines[-1]
    assert last.startswith("jarvisperf: 3 benchmarks measured, 2 skipped, nothing compared; ")
    assert result.stdout.str().count("[100%]") == 1
    result.stdout.fnmatch_lines(["SKIPPED test_insert: needs a database"])
    junit = (pytester.path / "junit.xml").read_text()
    assert junit.count('name="jarvis_time_median"') == junit.count('name="jarvis_time_verdict" value="new"') == 3


STRICT = """
import pytest

@pytest.mark.xfail(strict=True, reason="a known bug")
def test_works_again(jarvis_bench):
    jarvis_bench(len, "x")
"""


def test_a_test_that_fails_without_an_exception_counts_as_failed(pytester: pytest.Pytester, run: Callable[..., Any]):
    pytester.makepyfile(test_more=STRICT)
    result = run("test_more.py")
    assert result.ret == 1
    assert report(pytester)["benchmarks"][0]["error"] == "[XPASS(strict)] a known bug"
    result.stdout.fnmatch_lines(
        ["FAILED *test_works_again: *XPASS(strict)* a known bug", "jarvisperf: 0 benchmarks measured, 1 failed, *"]
    )


def test_without_unicode_every_line_of_the_table_stays_a_line(
    pytester: pytest.Pytester, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    monkeypatch.setenv("PYTHONUTF8", "0")
    pytester.makepyfile(test_more="def test_slow(jarvis_bench):\n    jarvis_bench(sum, range(9_999))\n")
    arguments = ("--jarvis-bench", "--jarvis-budget=0.02", "test_more.py")
    result = pytester.runpytest_subprocess(*arguments)
    assert result.ret == 0
    result.stdout.re_match_lines([r"benchmark +median.*", r"test_slow +[\d.]+ [mun]s .*", "spread: .*"])
    assert "\\n" not in result.stdout.str()


def test_a_run_in_which_all_is_skipped_says_so(pytester: pytest.Pytester, run: Callable[..., Any]):
    pytester.makepyfile(test_more=SKIPPING)
    result = run("test_more.py", "-k", "insert")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*no benchmark was measured, so nothing is known: it was skipped (needs a database)", "*measured, 1 skipped*"]
    )
