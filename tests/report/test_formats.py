"""Tests that every format says the same about the same findings."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import metric, run_of
from matplotlib import image
from report.golden_files import expect_golden
from report.made import rendered, text_of

from jarvisperf.report import Report, write_reports
from jarvisperf.report.findings.merging import merged
from jarvisperf.report.findings.model import Findings, findings_of
from jarvisperf.report.findings.model import run_of as model_run_of
from jarvisperf.report.formats.json import decode_findings, encode_findings, json_schema
from jarvisperf.report.terminal import summary as terminal
from jarvisperf.runs.model import Benchmark

SCHEMA_FILE = Path(__file__).parents[2] / "jarvisperf" / "report" / "schema" / "report-1.schema.json"


def test_all_files_are_written(findings: Findings, tmp_path: Path):
    written = write_reports(findings, tmp_path / "reports")
    names = {str(path.relative_to(tmp_path / "reports")) for path in written}
    assert names == {
        "report.json",
        "report.txt",
        "report.md",
        "report.csv",
        "metrics.txt",
        "report.html",
        "plots/before_after.png",
        "plots/before_after.svg",
    }
    assert all(path.stat().st_size for path in written)


def test_a_folder_that_was_made_is_kept_out_of_git_one_that_was_there_is_left_alone(findings: Findings, tmp_path: Path):
    write_reports(findings, tmp_path / "made")
    assert "*" in (tmp_path / "made" / ".gitignore").read_text().splitlines()
    (tmp_path / "there").mkdir()
    write_reports(findings, tmp_path / "there")
    assert not (tmp_path / "there" / ".gitignore").exists()


@pytest.mark.parametrize("kind", ["json", "txt", "md"])
def test_the_files_are_as_they_were_released(findings: Findings, tmp_path: Path, kind: str):
    write_reports(findings, tmp_path)
    expect_golden(f"report.{kind}", (tmp_path / f"report.{kind}").read_text())


def test_the_json_comes_back_equal(findings: Findings):
    assert decode_findings(encode_findings(findings)) == findings


def test_the_json_has_the_promised_fields(findings: Findings):
    report = json.loads(encode_findings(findings))
    assert report["schema"] == "jarvisperf.report/1"
    assert report["mode"] == "record"
    assert report["trusted"] is True
    assert report["base"] is None
    assert report["head"] == {"commit": "0123456789abcdef" * 2, "name": "main", "dirty": False}
    time = report["benchmarks"][0]["metrics"]["time"]
    assert {"median", "min", "mean", "stddev", "p95", "samples"} <= time["head"].keys()
    assert [time[name] for name in ("base", "ratio", "interval", "threshold")] == [None] * 4
    assert time["verdict"] == "new"


def test_a_report_of_another_schema_is_refused(findings: Findings):
    other = encode_findings(msgspec.structs.replace(findings, schema="jarvisperf.report/2"))
    with pytest.raises(msgspec.ValidationError, match=r"jarvisperf\.report/2"):
        decode_findings(other)


def without_order(schema: Any) -> Any:
    """Sort alternatives, which msgspec's versions list in different orders."""
    if isinstance(schema, dict):
        return {key: without_order(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return sorted(map(without_order, schema), key=json.dumps)
    return schema


def test_the_published_schema_is_that_of_the_code():
    published = json.loads(SCHEMA_FILE.read_text())
    assert without_order(published) == without_order(json.loads(json.dumps(json_schema())))


def test_groups_stay_together_in_the_order_of_their_first_benchmark(findings: Findings):
    assert [(row.texts["group"], row.texts["benchmark"]) for row in Report(findings).rows] == [
        ("search", "test_uncached[1]"),
        ("search", "test_cached[1]"),
        ("-", "test_memory"),
    ]


def test_a_pair_shows_how_many_times(findings: Findings):
    rows = {row.texts["benchmark"]: row.texts["before/after"] for row in Report(findings).rows}
    assert rows == {"test_uncached[1]": "-", "test_cached[1]": "10,000x (not in turns)", "test_memory": "-"}


def test_equal_names_in_two_files_are_shown_with_their_file():
    findings = findings_of(
        run_of(Benchmark(id="a.py::test_x"), Benchmark(id="b.py::test_x"), Benchmark(id="b.py::test_y"))
    )
    assert Report(findings).names == {
        "a.py::test_x": "a.py::test_x",
        "b.py::test_x": "b.py::test_x",
        "b.py::test_y": "test_y",
    }


def test_a_twin_that_failed_is_no_pair():
    findings = findings_of(
        run_of(
            Benchmark(id="a::x", error="broken"),
            Benchmark(id="a::y", before="a::x", metrics={"time": metric(1.0)}),
            Benchmark(id="a::z", before="a::gone", metrics={"time": metric(1.0)}),
        )
    )
    assert [row.texts["before/after"] for row in Report(findings).rows] == ["-", "-"]
    assert Report(findings).pairs == []


def test_parts_that_are_joined_pair_what_stood_apart():
    slow = Benchmark(id="a::slow", metrics={"time": metric(4.0)})
    fast = Benchmark(id="a::fast", before="a::slow", metrics={"time": metric(1.0)})
    whole, _ = merged([findings_of(run_of(slow)), findings_of(run_of(fast))])
    assert [pair.comparison for pair in Report(whole).pairs] == ["4.0x faster (not in turns)"]
    stored = model_run_of(whole, commit=None)
    assert findings_of(stored).benchmarks == whole.benchmarks


def test_the_summary_counts(findings: Findings):
    assert Report(findings).summary == "3 benchmarks measured, 1 failed, nothing compared; 12 s"


@pytest.mark.parametrize("name", ["text", "markdown", "html"])
def test_every_format_says_that_a_limit_is_exceeded(findings: Findings, name: str):
    slow, *others = findings.benchmarks
    over = {key: msgspec.structs.replace(value, verdict="regressed") for key, value in slow.metrics.items()}
    limited = msgspec.structs.replace(findings, benchmarks=(msgspec.structs.replace(slow, metrics=over), *others))
    assert "3 benchmarks measured (1 over the limit), 1 failed" in text_of(limited, name)
    if name != "html":
        assert "exceeded" in text_of(limited, name)
        assert "exceeded" not in text_of(findings, name)
    table = terminal.render(limited, colour=False, columns=80).split("\n\n")[0]
    assert [line for line in table.splitlines() if "exceeded" in line]


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_the_terminal_shows_names_whole_and_without_colour_codes(findings: Findings, columns: int):
    shown = terminal.render(findings, colour=False, columns=columns, wraps=False)
    assert "\x1b" not in shown
    for word in ("test_uncached[1]", "test_cached[1]", "11.00 ms", "FAILED", "ValueError: no | good", "3 benchmarks"):
        assert word in shown


def test_the_terminal_shows_colours_where_there_are_any(findings: Findings):
    assert "\x1b[" in terminal.render(findings, colour=True, columns=120)


def test_rich_markup_in_a_name_is_text():
    findings = findings_of(run_of(Benchmark(id="a::test[[red]x[/red]:smile:]", metrics={"time": metric(1.0)})))
    assert "test[[red]x[/red]:smile:]" in terminal.render(findings, colour=False, columns=120)


def test_markdown_characters_in_a_name_are_text(findings: Findings):
    rendered = text_of(findings, "markdown")
    assert "test\\_\\<script\\>\\|\\`x\\`" in rendered
    rows = [line for line in rendered.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_markdown_shows_the_picture_only_where_there_is_one(findings: Findings):
    assert "plots/before_after.png" in text_of(findings, "markdown")
    assert "plots/before_after.png" not in text_of(findings_of(run_of()), "markdown")


def test_text_of_an_empty_run_is_still_a_report():
    assert text_of(findings_of(run_of()), "text").startswith("0 benchmarks measured")


def test_the_picture_shows_every_pair_with_its_ratio(findings: Findings):
    png, svg = rendered(findings, "before_after").values()
    height, width, _ = image.imread(io.BytesIO(png)).shape
    assert width > 1000
    assert height > 200
    drawn = svg.decode()
    for word in ("test_cached[1]", "11.00 ms", "1.100 µs", "10,000x faster", "before", "after"):
        assert word in drawn


def test_a_pair_that_got_slower_says_so():
    findings = findings_of(
        run_of(
            Benchmark(id="a::x", metrics={"time": metric(1.0), "memory": metric(100.0, unit="B")}),
            Benchmark(id="a::y", before="a::x", metrics={"time": metric(2.0), "memory": metric(400.0, unit="B")}),
        )
    )
    assert [pair.comparison for pair in Report(findings).pairs] == [
        "2.0x slower (not in turns)",
        "4.0x larger (not in turns)",
    ]


@pytest.mark.parametrize("name", ["$x_1$", "çãé漢字", "x" * 300, "<script>&"])
def test_a_picture_is_drawn_whatever_the_name(name: str):
    findings = findings_of(
        run_of(
            Benchmark(id="a::x", metrics={"time": metric(1.0)}),
            Benchmark(id=f"a::{name}", before="a::x", metrics={"time": metric(0.0001)}),
        )
    )
    assert len(rendered(findings, "before_after")) == 2
