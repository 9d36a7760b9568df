"""Tests how the formats show a comparison: worst first, never by colour alone, never too large."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from matplotlib import image
from report import screens
from report.made import HOSTILE, compared, history_of, rendered, text_of
from rich.cells import cell_len

from jarvisperf.escaping import visible
from jarvisperf.gate.lockstep.tally import Tally
from jarvisperf.report import UnwrittenError, write_reports
from jarvisperf.report.findings.lockstep import benchmark_finding
from jarvisperf.report.findings.model import BenchmarkFinding, Findings
from jarvisperf.report.formats.json import decode_findings, encode_findings, json_schema
from jarvisperf.report.shared.headline import summary_line
from jarvisperf.report.shared.reasons import reasons
from jarvisperf.report.terminal import github
from jarvisperf.report.terminal import summary as terminal
from jarvisperf.report.terminal.interval_bar import ASCII, UNICODE, WIDTH, interval_bar
from jarvisperf.suspects.blind_spots import BlindSpots, ChangedFunction
from jarvisperf.suspects.model import Explanation, Suspect

NAMES = ["漢字", "اختبار", "т" * 300, "a\tb", "\u202ereversed", "=1+1", "%s%n", "x" * 300, "[red]", "{{7*7}}", "a,b:c"]


def named(name: str) -> Findings:
    return compared(4, first=f"benchmarks/bench_a.py::test_a[{name}]")


def test_the_last_line_is_for_people_in_a_hurry():
    shown = terminal.render(compared(48), colour=False, columns=120).splitlines()
    assert shown[-1] == "1 of 48 regressed, 1 inconclusive, 1 improved, 45 unchanged; run trusted; 61 s"


def test_what_regressed_stands_first_and_why():
    shown = terminal.render(compared(48), colour=False, columns=160)
    verdicts = re.findall(r"\b(regressed|improved|inconclusive|unchanged)\b", shown)
    assert verdicts[0] == "regressed"
    assert (
        "work (pkg/core.py:12) changed (calls parse 3x as often) and explains 93% of the change (88 to 97%)"
        in " ".join(shown.split())
    )


def test_a_thousand_benchmarks_do_not_flood_the_terminal():
    shown = terminal.render(compared(1_000), colour=False, columns=120)
    assert len(shown.splitlines()) < 150
    assert "and 900 more that are unchanged, new or skipped: the report has them all" in shown


@pytest.mark.parametrize("columns", [1, 40, 80, 300])
@pytest.mark.parametrize("name", NAMES)
def test_any_name_on_any_terminal(name: str, columns: int):
    for unicode in (True, False):
        shown = terminal.render(named(name), colour=False, columns=columns, unicode=unicode, wraps=False)
        assert shown.splitlines()[-1] == summary_line(named(name))
        assert unicode or shown.isascii()


@pytest.mark.parametrize("columns", [40, 80, 100, 120, 200])
@pytest.mark.parametrize("name", ["short", "x" * 300, "漢" * 60])
def test_the_table_fits_the_terminal(name: str, columns: int):
    shown = terminal.render(named(name), colour=False, columns=columns).splitlines()
    table = shown[: shown.index("")]
    assert max(map(cell_len, table)) <= columns
    assert "20% slower" in "".join(table)
    assert all(line == line.rstrip() for line in table)


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("unicode", [True, False])
def test_why_and_failed_lines_fit_the_terminal_however_long_an_id_is(columns: int, unicode: bool):
    long = f"benchmarks/{'deep/' * 30}bench_a.py::test_a"
    regressed = msgspec.structs.replace(compared(48).benchmarks[0], id=f"{long}[one]")
    assert regressed.profile is not None
    failed = [
        BenchmarkFinding(f"{long}[{name}]", None, {}, {}, error="ValueError: no file") for name in ("two", "three")
    ]
    findings = msgspec.structs.replace(compared(48), benchmarks=(regressed, *failed))
    shown = terminal.render(findings, colour=False, columns=columns, unicode=unicode)
    assert max(map(cell_len, shown.splitlines())) <= columns
    said = re.findall(r"(?:WHY|FAILED)\s+(\S+)", shown)
    assert [name.rpartition("[")[2] for name in said] == ["one]:", "two]:", "three]:"]
    in_a_log = terminal.render(findings, colour=False, columns=columns, wraps=False)
    assert f"FAILED {long}[two]: ValueError" in in_a_log


def test_a_unit_without_unicode_is_written_in_ascii():
    shown = terminal.render(screens.lockstep(), colour=False, columns=120, unicode=False)
    assert "3.780 us" in shown
    assert "\\xb5" not in shown


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_where_nothing_could_be_compared_no_column_is_empty(columns: int):
    skipped = BenchmarkFinding("bench_a.py::test_a", None, {}, {}, skipped="needs a database")
    failed = BenchmarkFinding("bench_a.py::test_b", None, {}, {}, error="ValueError: no such file")
    findings = msgspec.structs.replace(compared(1), benchmarks=(skipped, failed))
    table, _, rest = terminal.render(findings, colour=False, columns=columns).partition("\n\n")
    assert [line.split() for line in table.splitlines()] == [
        ["benchmark", "verdict"],
        ["test_b", "error"],
        ["test_a", "skipped"],
    ]
    assert "change:" not in rest


@pytest.mark.parametrize("kind", ["text", "markdown"])
def test_a_run_without_groups_and_pairs_does_not_mention_them(kind: str):
    (one,) = compared(1, first="bench_a.py::test_a").benchmarks
    metric = msgspec.structs.replace(one.metrics["time"], base=None, ratio=None, interval=None, verdict="new")
    alone = BenchmarkFinding(one.id, None, {}, {"time": metric})
    shown = text_of(msgspec.structs.replace(compared(1), mode="record", base=None, benchmarks=(alone,)), kind)
    assert "median" in shown
    assert not {"group", "before/after"}.intersection(re.findall(r"[\w/]+", shown))


@pytest.mark.parametrize(("reason", "shown"), [("", "expected to fail"), ("a\nb", "expected to fail: a b")])
def test_a_benchmark_that_failed_as_expected_has_a_tidy_reason(reason: str, shown: str):
    found = benchmark_finding("a", None, {}, Tally(state="skipped", xfail=reason), {}, {})
    assert found.skipped == shown


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_each_benchmark_has_one_line(columns: int):
    table = terminal.render(named("x" * 300), colour=False, columns=columns).split("\n\n")[0].splitlines()
    groups = [line for line in table if line.startswith("group")]
    assert len(table) == 1 + len(groups) + 4


@pytest.mark.parametrize("character", ["\x1b[31m", "\n", "\r", "\x9b1A", "\x07", "\u202e", "\u2028"])
def test_characters_that_act_on_a_terminal_are_written_out(character: str):
    findings = named(character)
    first = msgspec.structs.replace(findings.benchmarks[0], group=f"g{character}", error=f"ValueError: {character}")
    findings = msgspec.structs.replace(findings, benchmarks=(first, *findings.benchmarks[1:]))
    written = character.encode("unicode_escape").decode()
    for shown in (
        terminal.render(findings, colour=False, columns=120),
        text_of(findings, "text"),
        "\n".join(github.workflow_commands(findings)),
    ):
        assert f"test_a[{written}]" in shown
        assert f"ValueError: {written}" in shown
        assert character == "\n" or character not in shown


def test_a_bar_shows_the_ratio_between_the_limits():
    metric = compared(1).benchmarks[0].metrics["time"]
    bar = interval_bar(msgspec.structs.replace(metric, ratio=1.0, interval=(0.98, 1.02)), unicode=True)
    assert len(bar) == WIDTH
    assert bar.index(UNICODE.limit) < bar.index(UNICODE.ratio) < bar.rindex(UNICODE.limit)
    beyond = interval_bar(metric, unicode=False)
    assert beyond.endswith(ASCII.above)
    assert beyond.isascii()


def test_a_bar_can_be_drawn_whatever_the_figures():
    metric = compared(1).benchmarks[0].metrics["time"]
    largest = msgspec.structs.replace(metric, threshold=1e308, ratio=1e308, interval=(1e-308, 1.7e308))
    assert len(interval_bar(largest, unicode=True)) == WIDTH


@pytest.mark.parametrize(
    ("encoding", "shows"), [("utf-8", True), ("ascii", False), ("latin-1", False), (None, False), ("?", False)]
)
def test_what_the_terminals_encoding_lacks_is_not_drawn(encoding: str | None, shows: bool):
    assert terminal.shows_unicode(encoding) is shows


def test_markdown_says_what_changed_and_folds_the_rest():
    text = text_of(compared(48), "markdown")
    before, _, folded = text.partition("<details>")
    assert "🔴\xa0regressed" in before
    assert "test\\_work\\_40" not in before
    assert "<summary>45 unchanged</summary>" in folded
    assert "explains 93% of the change" in text


@pytest.mark.parametrize(
    "address", ["https://evil.example/x", "www.evil.example", "mailto:a@b.example", "FTP://evil.example"]
)
def test_an_address_in_a_name_does_not_become_a_link(address: str):
    text = text_of(named(address), "markdown")
    assert address not in text
    assert address in text.replace("\u200b", "").replace("\\", "")


@pytest.mark.parametrize("count", [1_000, 3_000])
def test_markdown_stays_below_githubs_limit(count: int):
    text = text_of(compared(count, first="benchmarks/b.py::test_a[" + "x" * 300 + "]"), "markdown")
    assert len(text) < 65_536
    assert re.search(r"and [0-9,]+ more: see report.html or report.json", text)
    assert text.count("<details>") == text.count("</details>")


@pytest.mark.parametrize("name", NAMES)
def test_markdown_notifies_nobody_and_runs_nothing(name: str):
    text = text_of(named(f"{name} @someone <script>"), "markdown")
    assert "@someone" not in text
    assert "<script>" not in text.replace("\\<script\\>", "")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_markdown_links_no_issue_and_makes_no_formula():
    text = text_of(named("#12 GH-7 $x$"), "markdown")
    assert not re.search(r"#\d|GH-\d|(?<!<span>)\$", text)


def test_the_step_summary_is_appended_where_github_wants_it(tmp_path: Path):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    written = write_reports(compared(3), tmp_path / "reports", None, {"GITHUB_STEP_SUMMARY": str(summary)})
    assert summary.read_text().startswith("before\n# Benchmarks")
    assert summary not in written


def test_annotations_stand_at_the_tests_line_and_are_escaped():
    findings = named("a,b:c%\n")
    unexplained = msgspec.structs.replace(findings.benchmarks[0], profile=None, base_profile=None, explanation=None)
    findings = msgspec.structs.replace(findings, benchmarks=(unexplained, *findings.benchmarks[1:]))
    first, second = github.workflow_commands(findings, "sub/")
    assert first.startswith(
        "::error file=sub/benchmarks/bench_a.py,line=7,title=test_a[a%2Cb%3Ac%25\\n] regressed::time: 20%25 slower"
    )
    assert second.startswith("::warning file=sub/benchmarks/bench_2.py,line=7,")
    assert all("\n" not in line for line in (first, second))


def test_no_more_annotations_than_github_shows():
    findings = compared(1)
    many = msgspec.structs.replace(
        findings, benchmarks=tuple(msgspec.structs.replace(findings.benchmarks[0], id=f"a.py::t{n}") for n in range(30))
    )
    lines = github.workflow_commands(many)
    assert len(lines) == 10
    assert "and 21 more" in lines[-1]


@pytest.mark.parametrize("name", NAMES)
def test_csv_is_read_back_and_no_cell_is_a_formula(name: str):
    findings = msgspec.structs.replace(
        named(name), benchmarks=tuple(msgspec.structs.replace(one, group=name) for one in named(name).benchmarks)
    )
    rows = list(csv.DictReader(io.StringIO(text_of(findings, "csv"), newline="")))
    assert [row["verdict"] for row in rows] == ["regressed", "improved", "inconclusive", "unchanged"]
    assert float(rows[0]["ratio"]) == 1.2
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


@pytest.mark.parametrize("name", NAMES)
def test_metrics_are_open_metrics(name: str):
    lines = text_of(named(name), "open_metrics").splitlines()
    assert lines[-1] == "# EOF"
    samples = [line for line in lines if not line.startswith("#")]
    assert len(samples) == 8
    assert all(re.fullmatch(r'[a-z_]+\{benchmark="(\\.|[^"\\])*",metric="time"\} [0-9.e+-]+', line) for line in samples)


def test_json_is_as_the_schema_says(require):
    jsonschema = require("jsonschema")
    for findings in (compared(5), named("漢字")):
        data = json.loads(encode_findings(findings))
        jsonschema.Draft202012Validator(json_schema()).validate(data)
        assert decode_findings(encode_findings(findings)) == findings


@pytest.mark.parametrize("name", [*NAMES, "<script>alert(1)</script>", '"><img src=x>', "</template></script>"])
def test_html_shows_any_name_as_text(name: str):
    page = text_of(named(name), "html", history_of(named(name)))
    assert page.count("<script>") == 1
    assert page.count("</script>") == 1
    assert "<img" not in page
    assert "style=" not in page, "the page's policy would refuse it"


def pictures_of(page: str) -> list[str]:
    """Return the outermost SVG elements of a page."""
    found, start, depth = [], 0, 0
    for tag in re.finditer(r"<svg |</svg>", page):
        start = tag.start() if depth == 0 else start
        depth += 1 if tag[0] == "<svg " else -1
        if depth == 0:
            found.append(page[start : tag.end()])
    return found


def test_every_inline_picture_has_a_text_and_is_well_formed():
    pictures = pictures_of(text_of(compared(10), "html", history_of(compared(10))))
    assert len(pictures) == 1 + 10 + 10 * 3 + 2  # the axis, the rows, each one's details, and two flame graphs
    for picture in pictures:
        assert ET.fromstring(picture).get("aria-label")


def test_a_page_of_many_has_one_picture_of_all():
    assert len(pictures_of(text_of(compared(41), "html"))) == 1 + 1 + 41 + 41 * 2 + 2


def test_plots_of_ratios_and_history_are_drawn_and_go_with_their_data(tmp_path: Path):
    findings = compared(80)
    history = history_of(findings)
    for name in ("ratios", "history"):
        png, svg = rendered(findings, name, history).values()
        assert image.imread(io.BytesIO(png)).shape[0] > 300
        assert b"<svg" in svg
    assert "1.5x slower" in svg.decode()
    write_reports(findings, tmp_path, None, {})
    assert (tmp_path / "plots" / "ratios.png").exists()
    nothing = msgspec.structs.replace(findings, benchmarks=())
    write_reports(nothing, tmp_path, None, {})
    assert not (tmp_path / "plots" / "ratios.png").exists()


def test_a_format_that_fails_does_not_take_the_others_along(tmp_path: Path):
    with pytest.raises(UnwrittenError, match=r"FileNotFoundError: .*\(GitHub's step summary\)") as failure:
        write_reports(compared(3), tmp_path, None, {"GITHUB_STEP_SUMMARY": str(tmp_path / "nowhere" / "summary.md")})
    assert {"report.json", "report.html", "ratios.png"} <= {path.name for path in failure.value.written}


def test_a_page_of_limits_alone_shows_ratios_of_one():
    (finding,) = compared(1).benchmarks
    held = msgspec.structs.replace(finding.metrics["time"], ratio=1.0, interval=(1.0, 1.0), verdict="regressed")
    finding = msgspec.structs.replace(finding, metrics={"time": held})
    findings = msgspec.structs.replace(compared(1), benchmarks=(finding,))
    assert "1.000" in text_of(findings, "html", history_of(findings))


def reason_with(explanation: Explanation | None, **changes: object) -> str:
    """Return the reason of a regression with this explanation; empty if none is given."""
    (finding,) = compared(1).benchmarks
    finding = msgspec.structs.replace(finding, explanation=explanation, **changes)
    found = reasons(msgspec.structs.replace(compared(1), benchmarks=(finding,)))
    return found[0].removeprefix(f"{visible(HOSTILE)}: ") if found else ""


def test_only_a_regression_needs_a_reason():
    (finding,) = compared(1).benchmarks
    unchanged = msgspec.structs.replace(finding.metrics["time"], verdict="unchanged")
    assert reason_with(finding.explanation, metrics={"time": unchanged}) == ""


def test_without_shares_the_suspects_are_named_with_the_lines_that_differ():
    work = Suspect("work", "pkg/core.py", 12, "changed", lines=("- old()", "+ new()"))
    check = Suspect("check", "pkg/core.py", 40, "new", head_calls=2)
    assert (
        reason_with(Explanation((work,)))
        == "work (pkg/core.py:12) changed and may explain the change: - old()  + new()"
    )
    assert reason_with(Explanation((work, check))) == (
        "work (pkg/core.py:12) changed and may explain the change; so may check (pkg/core.py:40), which is new"
    )


def test_where_no_code_changed_that_is_the_reason():
    said = "no code that this benchmark executes has changed: dependency, data or machine"
    assert reason_with(Explanation()) == said
    assert reason_with(Explanation(calls=("parse is called 3x as often",))) == f"{said} (parse is called 3x as often)"
    assert "not all could be seen" in reason_with(Explanation(is_complete=False))


def test_no_report_says_that_an_unchanged_function_explains_a_change():
    text = text_of(msgspec.structs.replace(compared(1)), "markdown")
    assert "explains" in text
    unknown = msgspec.structs.replace(compared(1).benchmarks[0], explanation=None)
    text = text_of(msgspec.structs.replace(compared(1), benchmarks=(unknown,)), "markdown")
    assert "explains" not in text
    assert "work (pkg/core.py:12)" in text
    assert "grew most" in text


def test_changed_functions_that_no_benchmark_executes_are_listed():
    spots = BlindSpots(
        3, (ChangedFunction("a", "pkg/a.py", 3, "changed"), ChangedFunction("B.c", "pkg/b.py", 9, "new")), True
    )
    findings = msgspec.structs.replace(compared(1), blind_spots=spots)
    line = "2 changed functions are not executed by any benchmark"
    shown = terminal.render(findings, colour=False, columns=160)
    assert f"{line}: a (pkg/a.py:3), changed, B.c (pkg/b.py:9), new" in shown
    assert f"<summary>{line}</summary>" in text_of(findings, "markdown")
    assert f"<summary>{line}</summary>" in text_of(findings, "html")
    assert line in text_of(findings, "text")
    seen = msgspec.structs.replace(findings, blind_spots=BlindSpots(3, (), True))
    assert "executed" not in terminal.render(seen, colour=False, columns=160)


def test_what_is_allowed_to_be_missing_is_a_warning():
    (finding,) = compared(1).benchmarks
    gone = msgspec.structs.replace(finding.metrics["time"], verdict="missing")
    findings = msgspec.structs.replace(
        compared(1), benchmarks=(msgspec.structs.replace(finding, metrics={"time": gone}),)
    )
    (error,) = github.workflow_commands(findings)
    (warning,) = github.workflow_commands(msgspec.structs.replace(findings, allows_missing=True))
    assert error.startswith("::error ")
    assert warning.startswith("::warning ")


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_reports(compared(1), tmp_path / "file" / "reports", None, {})


def test_the_hostile_name_is_hostile():
    assert "<script>" in HOSTILE


def test_a_page_has_a_row_for_what_was_skipped_or_failed_and_the_headline_counts_it():
    first, *others = compared(4).benchmarks
    bare = [
        BenchmarkFinding("a.py::test_skipped", None, {}, {}, skipped="needs a database"),
        BenchmarkFinding("a.py::test_failed", None, {}, {}, error="ValueError: no"),
    ]
    page = text_of(msgspec.structs.replace(compared(4), benchmarks=(first, *others, *bare)), "html")
    assert "<h1>1 of 6 benchmarks regressed, 1 failed</h1>" in page
    assert page.count('<details id="b-') == 6
    assert "needs a database" in page
    counts = re.findall(r"<b>(\d+)</b> (\w+)</button>", page)
    assert sum(int(count) for count, _ in counts) == 6
