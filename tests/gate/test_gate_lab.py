"""Tests the gate lab itself: what it draws, what it writes into repositories, and what it counts."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys

import pytest

from benchmarks.gate_lab import results
from benchmarks.gate_lab.cli import PUBLISHED, main
from benchmarks.gate_lab.gates import Bench, with_pytest_benchmark
from benchmarks.gate_lab.kinds import FINE_SCALE, kinds, repeats, scales, source
from benchmarks.gate_lab.plots import shown_hits
from benchmarks.gate_lab.publish import publish, show
from benchmarks.gate_lab.repository import git, kind_of, write_repository
from benchmarks.gate_lab.results import Comparison
from benchmarks.gate_lab.suites import MIXED_FACTORS, SUITE_SIZE, Case, Suite, draw_suite
from benchmarks.gate_lab.summary import by_kind, lower_bound, right_word, summarize, upper_bound
from benchmarks.gate_lab.truth import slopes, true_ratio


def comparison(**changes) -> Comparison:
    usual = {
        "suite": "mixed-0000",
        "scenario": "mixed",
        "tool": "jarvisperf",
        "neighbour": False,
        "kind": "loop",
        "scale": 1,
        "factor": 1.0,
        "verdict": "unchanged",
        "ratio": 1.0,
        "interval": (0.99, 1.01),
        "suite_seconds": 20.0,
    }
    return Comparison(**{**usual, **changes})


def exact(kind: str, factor: float) -> float:
    return factor


def test_there_are_twelve_kinds_of_work_or_more():
    assert len(kinds()) >= 12


@pytest.mark.parametrize("kind", kinds())
def test_head_does_as_many_units_more_as_the_factor_says(kind):
    for scale in (*scales(kind), *scales(kind, FINE_SCALE)):
        assert f"REPEATS = {100 * scale}\n" in source(kind, scale, 1.0)
        assert f"REPEATS = {103 * scale}\n" in source(kind, scale, 1.03)


def test_the_same_factor_gives_the_same_source():
    assert source("loop", 8, 1.0) == source("loop", 8, 1.0)


def test_a_factor_that_is_no_whole_number_of_units_is_refused():
    with pytest.raises(ValueError, match=r"factor 1\.005 is not allowed with 100 repetitions"):
        repeats(1, 1.005)


def test_the_true_ratio_of_every_kind_is_known_and_close_to_the_ratio_of_the_work():
    assert set(slopes()) == set(kinds())
    for kind in kinds():
        assert true_ratio(kind, 1.0) == 1
        assert true_ratio(kind, 1.05) == pytest.approx(1.05, abs=0.002)


def test_a_suite_is_drawn_the_same_each_time_and_another_number_gives_another():
    assert draw_suite("mixed", 3) == draw_suite("mixed", 3)
    assert draw_suite("mixed", 3).cases != draw_suite("mixed", 4).cases


def test_an_aa_suite_changes_nothing_and_a_mixed_one_changes_some():
    assert {case.factor for case in draw_suite("aa", 1).cases} == {1.0}
    assert sorted(case.factor for case in draw_suite("mixed", 1).cases) == sorted(MIXED_FACTORS[0.02])
    assert len({case.kind for case in draw_suite("mixed", 1).cases}) == SUITE_SIZE


@pytest.mark.parametrize("threshold", sorted(MIXED_FACTORS))
def test_every_threshold_has_functions_that_can_be_written_and_a_word_for_each(threshold):
    for number in range(5):
        suite = draw_suite("mixed", number, threshold)
        assert suite.threshold == threshold
        for case in suite.cases:
            assert repeats(case.scale, case.factor) == pytest.approx(100 * case.scale * case.factor)
        words = [right_word(case.factor, threshold) for case in suite.cases]
        assert {word: words.count(word) for word in words}.keys() == {"unchanged", "regressed", "improved", None}


def test_suites_of_two_thresholds_have_two_names():
    assert draw_suite("aa", 7).name == "aa-0007"
    assert draw_suite("aa", 7, 0.005).name == "aa-0.5%-0007"


def test_a_repository_has_a_base_and_a_head_that_differ_in_the_repetitions_alone(tmp_path):
    suite = Suite("one", "mixed", (Case("loop", 1, 1.05), Case("regex", 1, 1.0)))
    base, head = write_repository(suite, tmp_path)
    changed = git(tmp_path, "diff", "--unified=0", base, head, "--", "labwork").splitlines()
    assert [line for line in changed if line[:1] in "+-" and line[:3] not in {"+++", "---"}] == [
        "-REPEATS = 100",
        "+REPEATS = 105",
    ]
    assert git(tmp_path, "status", "--porcelain") == ""


def test_a_repositorys_benchmarks_pass_as_ordinary_tests(tmp_path):
    write_repository(Suite("all", "aa", tuple(Case(kind, 1, 1.0) for kind in kinds())), tmp_path)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:jarvisperf", "--benchmark-disable"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert f"{len(kinds())} passed" in done.stdout, done.stdout + done.stderr


def test_pytest_benchmark_is_asked_for_base_and_head(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    suite = Suite("one", "mixed", (Case("regex", 1, 3.0),))
    found = with_pytest_benchmark(Bench(suite, folder, *write_repository(suite, folder), neighbour=False))
    assert [each.tool for each in found] == [f"pytest-benchmark {name}" for name in ("median", "min", "mean")]
    assert {each.verdict for each in found} == {"regressed"}  # three times the work, which no noise can hide


def test_results_are_read_back_and_a_line_cut_short_is_left_out(tmp_path):
    results.append(tmp_path, [comparison(), comparison(kind="regex")])
    with (tmp_path / results.FILE).open("ab") as file:
        file.write(b'{"suite": "mixed-00')
    assert results.read(tmp_path) == [comparison(), comparison(kind="regex")]


def test_what_was_run_is_not_run_again_whatever_the_statistic():
    found = [comparison(), comparison(tool="pytest-benchmark min", neighbour=True)]
    assert results.done(found) == {
        ("mixed-0000", "jarvisperf", False, None),
        ("mixed-0000", "pytest-benchmark", True, None),
    }


def test_another_budget_is_another_run():
    assert results.done([comparison(budget=0.5)]) == {("mixed-0000", "jarvisperf", False, 0.5)}


@pytest.mark.parametrize(
    ("factor", "word"), [(1.0, "unchanged"), (1.02, None), (1.03, "regressed"), (1.1, "regressed"), (0.95, "improved")]
)
def test_each_factor_has_its_word_and_the_one_on_the_threshold_has_none(factor, word):
    assert right_word(factor, 0.02) == word


def test_what_is_below_the_threshold_is_unchanged():
    assert right_word(1.03, 0.05) == "unchanged"
    assert right_word(1.01, 0.005) == "regressed"


def test_alarms_are_false_only_where_nothing_changed():
    found = [
        comparison(),
        comparison(verdict="regressed"),
        comparison(verdict="improved"),
        comparison(verdict="inconclusive"),
        comparison(verdict="regressed", factor=1.05),
        comparison(verdict="improved", factor=0.95),
    ]
    [tool] = summarize(found, exact)
    assert (tool.false_alarms, tool.equal) == (2, 4)
    assert tool.inconclusive_equal == 0.25
    assert {count.factor: (count.right, count.total) for count in tool.factors} == {
        0.95: (1, 1),
        1.0: (1, 4),
        1.05: (1, 1),
    }


def test_a_verdict_in_the_wrong_direction_is_no_detection():
    found = [comparison(verdict="improved", factor=1.05), comparison(verdict="regressed", factor=1.05)]
    [tool] = summarize(found, exact)
    assert [(shown_hits(count, 0.02), count.total) for count in tool.factors] == [(1, 2)]


def test_coverage_and_bias_are_taken_over_the_true_ratio():
    found = [
        comparison(factor=1.05, ratio=1.05 * math.exp(0.01), interval=(1.04, 1.07)),
        comparison(factor=1.05, ratio=1.05 * math.exp(0.03), interval=(1.06, 1.10)),
    ]
    [tool] = summarize(found, exact)
    assert tool.coverage == 0.5
    assert tool.bias == pytest.approx(0.02)
    [kind] = by_kind(found, exact)
    assert kind.errors_found == pytest.approx((0.01, 0.03))


def test_a_suites_seconds_count_once_however_many_functions_it_has():
    found = [comparison(suite="a", suite_seconds=10.0)] * 5 + [comparison(suite="b", suite_seconds=30.0)]
    assert summarize(found, exact)[0].seconds_per_suite == 20.0


def test_no_alarm_in_a_thousand_bounds_the_share_at_three_in_a_thousand():
    assert upper_bound(0, 1000) == pytest.approx(0.003, rel=0.01)
    assert upper_bound(5, 5) == 1.0
    assert upper_bound(0, 0) is None


def test_a_hundred_of_a_hundred_found_bounds_the_share_from_below():
    assert lower_bound(100, 100) == pytest.approx(0.9705, abs=1e-3)
    assert lower_bound(0, 5) == 0.0
    assert lower_bound(0, 0) is None


def test_tools_and_neighbourhoods_are_counted_apart():
    found = [comparison(), comparison(neighbour=True), comparison(tool="pytest-benchmark min", interval=None)]
    assert [(tool.tool, tool.neighbour, tool.coverage) for tool in summarize(found, exact)] == [
        ("jarvisperf", False, 1.0),
        ("pytest-benchmark min", False, None),
        ("jarvisperf", True, 1.0),
    ]


def test_a_summary_is_a_table_a_file_and_two_plots(tmp_path):
    found = [
        comparison(),
        comparison(factor=1.05, ratio=1.05, interval=(1.03, 1.07), verdict="regressed"),
        comparison(tool="pytest-benchmark min", interval=None, verdict="regressed"),
        comparison(verdict="error", ratio=None, interval=None, neighbour=True),
    ]
    text = publish(found, tmp_path)
    assert "| false alarms where nothing changed | 0 of 1 | 1 of 1 | 0 of 1 |" in text
    assert "| +5% called regressed | 1 of 1 (100%, at least 5.0%) | - | - |" in text
    assert "| kind of work | no change called unchanged | +5% called regressed |" in text
    assert "| loop | 1 of 1 | 1 of 1 |" in text
    names = sorted(path.name.partition("-")[2][6:] for path in tmp_path.iterdir())
    assert names == ["alarms.svg", "kinds.svg", "summary.json", "summary.md"]


def test_each_threshold_and_budget_has_tables_of_its_own(tmp_path):
    found = [comparison(), comparison(threshold=0.005, factor=1.01), comparison(threshold=0.05, budget=0.5)]
    text = publish(found, tmp_path)
    assert "| threshold 2% | jarvisperf |" in text
    assert "| threshold 0.5% | jarvisperf |" in text
    assert "| +1% called regressed | 0 of 1 (0%, at least 0.0%) |" in text
    assert "| threshold 5%, budget 0.5 s | jarvisperf |" in text
    names = sorted(path.name.partition("-")[2][6:] for path in tmp_path.glob("*.md"))
    assert names == ["summary.md", "threshold-0.5-summary.md", "threshold-5.0-budget-0.5s-summary.md"]


@pytest.mark.parametrize("file", sorted(PUBLISHED.glob("*-summary.json")), ids=lambda file: file.name)
def test_published_tables_are_what_the_lab_writes_for_their_figures(file, tmp_path):
    shutil.copy(file, tmp_path)
    text = show(tmp_path / file.name)
    assert text == file.with_suffix(".md").read_text(encoding="utf-8")
    assert len(list(tmp_path.iterdir())) == 4


def test_a_test_id_names_its_kind_of_work():
    assert kind_of("benchmarks/test_lab.py::test_json_text") == "json_text"


def test_the_labs_help_can_be_printed(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "--threshold" in capsys.readouterr().out
