"""The screens that people see, at the usual widths of terminals; see `golden_files.py` for how to accept a change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from report import screens
from report.golden_files import expect_golden
from report.made import text_of
from rich.cells import cell_len

from jarvisperf.cli.main import main
from jarvisperf.report.formats.json import encode_findings
from jarvisperf.report.terminal.summary import render
from jarvisperf.report.terminal.wrapping import wrapped
from jarvisperf.runs.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jarvisperf.report.findings.model import Findings

WIDTHS = (80, 100, 120, 200)
FINDINGS: dict[str, Callable[[], Findings]] = {
    "record": screens.record,
    "lockstep": screens.lockstep,
    "baseline": screens.baseline,
    "several_metrics": screens.several_metrics,
    "hundred": screens.hundred,
}
COMMANDS = {
    "compare": ("compare", "main", "topic"),
    "merge": ("merge", "part1.json", "part2.json", "--out", "merged"),
    "runs_show": ("runs", "show", "topic"),
    "history": ("history", "--name", "topic"),
    "history_of_one": ("history", "test_parse_document[utf8-small]", "--name", "topic"),
}


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Store runs and write the reports of two parts, in a folder that becomes the current one."""
    monkeypatch.chdir(tmp_path)
    store = open_store(".jarvisperf")
    store.save(screens.run("main", 0, 1.0), "main")
    for minute in range(1, 13):
        store.save(screens.run("topic", minute, 1.0 if minute < 7 else 1.41), "topic")
    whole = screens.lockstep()
    for number, part in enumerate((whole.benchmarks[:4], whole.benchmarks[4:]), 1):
        findings = replaced(whole, benchmarks=part, shard=f"{number}/2")
        (tmp_path / f"part{number}.json").write_bytes(encode_findings(findings))
    return tmp_path


def replaced(findings: Any, **changes: object) -> Any:
    import msgspec

    return msgspec.structs.replace(findings, **changes)


def joined(screens_by_width: dict[int, str]) -> str:
    return "\n".join(f"{f' {width} columns ':=^{width}}\n{text}" for width, text in screens_by_width.items())


@pytest.mark.parametrize("name", FINDINGS)
def test_the_screen_of_a_run_is_as_it_was_accepted(name: str):
    shown = {width: render(FINDINGS[name](), colour=False, columns=width) for width in WIDTHS}
    for width, text in shown.items():
        check(text, width)
    expect_golden(f"screens/{name}.txt", joined(shown))


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("name", COMMANDS)
def test_the_screen_of_a_command_is_as_it_was_accepted(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    shown = {}
    for width in WIDTHS:
        monkeypatch.setenv("COLUMNS", str(width))
        main(list(COMMANDS[name]))
        shown[width] = re.sub(r"\br[0-9a-f]{10,}\b", "r0000000000", capsys.readouterr().out)
        check(shown[width], width)
    expect_golden(f"screens/{name}.txt", joined(shown))


def test_short_names_leave_room_for_the_medians_of_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for minute in range(12):
        run = screens.run("main", minute, 1.0 if minute < 6 else 1.41)
        short = tuple(replaced(one, id=f"b.py::t{place}") for place, one in enumerate(run.benchmarks))
        open_store(".jarvisperf").save(replaced(run, benchmarks=short), "main")
    assert main(["history"]) == 0
    title, *rows, _, _ = capsys.readouterr().out.splitlines()
    assert title.split() == ["since", "commit", "change", "before", "after", "benchmark"]
    assert all(cell_len(row) <= 80 for row in rows)


def check(text: str, width: int) -> None:
    """Check what holds on every screen, whatever it shows."""
    lines = text.splitlines()
    wide = [line for line in lines if cell_len(line) > width and len(line.split()) > 1 and "::" not in line]
    assert not wide, "a line is wider than the terminal, and not because of a single long word"
    assert not re.search(r"\d\n *(ns|µs|ms|s|B|KiB|MiB|GiB)\b", text), "a unit is on another line than its number"
    table = [line for line in lines if re.search(r"\b(regressed|unchanged|improved)$", line) and line[:9].strip()]
    assert len(set(table)) == len(table), "two benchmarks look equal"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_column_holds_nothing(width: int):
    text = render(screens.lockstep(), colour=False, columns=width)
    header, *rows = text.split("\n\n")[0].splitlines()
    for title in re.finditer(r"\S+( \S+)*", header):
        assert any(row[title.start() : title.end()].strip() not in {"", "-"} for row in rows), title[0]


def test_below_a_hundred_columns_only_what_changed_has_an_interval():
    rows = render(screens.lockstep(), colour=False, columns=99).split("\n\n")[0].splitlines()
    with_interval = {row.split()[-1] for row in rows if re.search(r"slower \(|faster \(", row)}
    assert with_interval == {"regressed", "improved"}


def test_names_that_begin_alike_keep_what_tells_them_apart():
    whole = screens.lockstep()
    ends = [f"{method}_from({kind})]" for method in ("remove_edges", "add_nodes") for kind in ("Graph", "MultiDiGraph")]
    found = [
        replaced(one, id=f"benchmarks/test_asv.py::test_asv[benchmark_classes.GraphBenchmark.time_{end}")
        for one, end in zip(whole.benchmarks, ends, strict=False)
    ]
    text = render(replaced(whole, benchmarks=tuple(found)), colour=False, columns=120)
    assert [end for end in ends if end in text.split("\n\n")[0]] == ends


@pytest.mark.parametrize("width", WIDTHS)
def test_names_shorter_than_their_title_leave_the_table_within_the_terminal(width: int):
    whole = screens.lockstep()
    found = [replaced(one, id=f"b.py::t{place}") for place, one in enumerate(whole.benchmarks)]
    check(render(replaced(whole, benchmarks=tuple(found)), colour=False, columns=width), width)


@pytest.mark.parametrize("width", WIDTHS)
def test_long_groups_are_shortened_so_that_they_still_differ(width: int):
    whole = screens.lockstep()
    groups = [f"{'a very long group ' * 15}{place}" for place in range(2)]
    found = [replaced(one, group=groups[place % 2]) for place, one in enumerate(whole.benchmarks)]
    text = render(replaced(whole, benchmarks=tuple(found)), colour=False, columns=width)
    check(text, width)
    titles = [line for line in text.splitlines() if line.startswith(("a", "…")) and line.endswith(("0", "1"))]
    assert len(set(titles)) == len(titles) == len(groups)


def test_columns_of_which_nothing_is_shown_are_not_explained():
    whole = screens.lockstep()
    skipped = tuple(one for one in whole.benchmarks if one.skipped is not None)
    text = render(replaced(whole, benchmarks=skipped), colour=False, columns=100)
    assert "change" not in text
    assert "medians" not in text_of(replaced(whole, benchmarks=skipped), "text")


@pytest.mark.parametrize(
    ("sentence", "together"),
    [
        ("explains it (88 to 97%)", "(88 to 97%)"),
        ("Bar: ● change, ━ 95% interval, │ threshold.", "│ threshold."),
        ("Bar: o change, = 95% interval, | threshold.", "= 95% interval,"),
    ],
)
def test_what_only_means_something_together_is_on_one_line(sentence: str, together: str):
    for columns in range(len(together) + 2, len(sentence) + 1):
        assert any(together in line for line in wrapped(sentence, columns))


def test_counts_have_separators():
    findings = screens.hundred()
    many = [replaced(one, id=f"{one.id}{place}") for place in range(12) for one in findings.benchmarks]
    text = render(replaced(findings, benchmarks=tuple(many)), colour=False, columns=100)
    assert "and 1,100 more that are unchanged" in text
    assert "0 of 1,200 regressed, 1,200 unchanged" in text


def test_the_numbers_of_the_last_line_add_up_to_the_rows():
    findings = screens.lockstep()
    last = render(findings, colour=False, columns=200).splitlines()[-1]
    counts = re.match(r"(\d+) of (\d+) regressed, (.*); run trusted", last)
    assert counts is not None
    others = [int(word.split()[0]) for word in counts[3].split(", ")]
    assert int(counts[1]) + sum(others) == int(counts[2]) == len(findings.benchmarks)


def test_what_was_not_measured_again_is_not_called_trusted():
    found = screens.baseline()
    screened = replaced(found, benchmarks=found.benchmarks[2:4])
    assert "trusted" not in render(screened, colour=False, columns=120)
    assert "run trusted" in render(found, colour=False, columns=120)
