"""The lab's table and plots, as files."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import msgspec

from benchmarks.gate_lab import plots
from benchmarks.gate_lab.gates import JARVISPERF
from benchmarks.gate_lab.suites import USUAL_THRESHOLD
from benchmarks.gate_lab.summary import KindSummary, ToolSummary, by_kind, lower_bound, right_word, summarize
from benchmarks.gate_lab.truth import slopes, true_ratio
from jarvisperf.runs.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.gate_lab.results import Comparison


class Evidence(msgspec.Struct, frozen=True):
    """The figures of one publication, with one threshold and budget.

    Attributes:
        date: The day of the publication.
        slopes: By kind of work, how much longer a call takes per unit of additional work.
        tools: The summary of each tool.
        kinds: The summary of each kind of work, for JarvisPerf on an idle machine.
        threshold: The smallest change that counts, as a share.
        budget: Seconds of measuring per benchmark; None: the tool's default.
    """

    date: str
    slopes: dict[str, float]
    tools: list[ToolSummary]
    kinds: list[KindSummary]
    threshold: float = USUAL_THRESHOLD
    budget: float | None = None


def publish(comparisons: Sequence[Comparison], folder: Path) -> str:
    """Write `<date>-summary.json`, `.md` and the two plots for each threshold and budget, and return the tables.

    Args:
        comparisons: Comparisons by any of the tools.
        folder: Where the files go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    conditions: dict[tuple[float, float | None], list[Comparison]] = {}
    for found in comparisons:
        conditions.setdefault((found.threshold, found.budget), []).append(found)
    return "\n".join(_publish(group, folder) for _, group in sorted(conditions.items(), key=lambda item: item[0][0]))


def _publish(comparisons: Sequence[Comparison], folder: Path) -> str:
    quiet = [found for found in comparisons if found.tool == JARVISPERF and not found.neighbour]
    evidence = Evidence(
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        slopes=slopes(),
        tools=summarize(comparisons, true_ratio),
        kinds=by_kind(quiet, true_ratio),
        threshold=comparisons[0].threshold,
        budget=comparisons[0].budget,
    )
    name = evidence.date
    if evidence.threshold != USUAL_THRESHOLD:
        name += f"-threshold-{evidence.threshold:.1%}".rstrip("%")
    if evidence.budget is not None:
        name += f"-budget-{evidence.budget:g}s"
    file = folder / f"{name}-summary.json"
    write_whole(file, msgspec.json.format(msgspec.json.encode(evidence), indent=1) + b"\n")
    return show(file)


def show(file: Path) -> str:
    """Write the table and the plots of recorded figures next to their file, and return the table.

    Args:
        file: A file whose name ends in `-summary.json`.

    Raises:
        msgspec.ValidationError: It contains something else.
    """
    evidence = msgspec.json.decode(file.read_bytes(), type=Evidence)
    tables = [tool_table(evidence), kind_table(evidence.kinds)]
    if any(kind.factors for kind in evidence.kinds):
        tables.append(detection_table(evidence))
    text = f"# Gate lab, {evidence.date}\n\n" + "\n".join(tables)
    write_whole(file.with_suffix(".md"), text.encode())
    name = file.name.removesuffix("-summary.json")
    plots.draw_alarms(evidence.tools, evidence.threshold, file.with_name(f"{name}-alarms.svg"))
    plots.draw_kinds(evidence.kinds, file.with_name(f"{name}-kinds.svg"))
    return text


def tool_table(evidence: Evidence) -> str:
    """Write one column per tool, as Markdown; a share is at least its lower bound with 95 % confidence."""
    tools = evidence.tools
    factors = sorted({count.factor for tool in tools for count in tool.factors} - {1.0})
    heads = [f"{tool.tool}{', neighbour' if tool.neighbour else ''}" for tool in tools]
    rows = [("false alarms where nothing changed", *(f"{tool.false_alarms:,} of {tool.equal:,}" for tool in tools))]
    rows += [("… upper bound of their share (95% confidence)", *(_percent(tool.false_alarm_bound) for tool in tools))]
    rows += [("inconclusive where nothing changed", *(_percent(tool.inconclusive_equal) for tool in tools))]
    for factor in factors:
        word = right_word(factor, evidence.threshold)
        label = f"{_change(factor)} called {word or 'regressed (exactly the threshold)'}"
        rows += [(label, *(_of_factor(tool, factor, word) for tool in tools))]
    rows += [
        ("inconclusive, of all", *(_percent(tool.inconclusive) for tool in tools)),
        ("intervals that contain the true ratio", *(_percent(tool.coverage) for tool in tools)),
        ("bias of the ratio", *(_percent(tool.bias, signed=True) for tool in tools)),
        ("error of the ratio, root mean square", *(_percent(tool.spread) for tool in tools)),
        ("seconds per suite of 12 functions, both sides", *(f"{tool.seconds_per_suite:.1f}" for tool in tools)),
        ("suites", *(str(tool.suites) for tool in tools)),
        ("suites not trusted", *(str(tool.untrusted) for tool in tools)),
        ("functions without a verdict", *(str(tool.errors) for tool in tools)),
    ]
    budget = "" if evidence.budget is None else f", budget {evidence.budget:g} s"
    return _markdown([f"threshold {evidence.threshold * 100:g}%{budget}", *heads], rows)


def kind_table(found: Sequence[KindSummary]) -> str:
    """Write one row per kind of work, as Markdown."""
    rows = [
        (
            kind.kind,
            str(kind.total),
            _percent(kind.inconclusive),
            _percent(kind.coverage),
            _percent(kind.half_width),
            f"{kind.errors_found[len(kind.errors_found) // 2]:+.2%}",
            f"{max(map(abs, kind.errors_found)):.1%}",
        )
        for kind in found
    ]
    heads = ["kind of work", "comparisons", "inconclusive", "coverage", "half width", "median error", "largest error"]
    return _markdown(heads, rows)


def detection_table(evidence: Evidence) -> str:
    """Write how many functions of each kind and factor got the right word, as Markdown."""
    factors = sorted({count.factor for kind in evidence.kinds for count in kind.factors})
    factors = [factor for factor in factors if right_word(factor, evidence.threshold)]
    rows = []
    for kind in evidence.kinds:
        counts = {count.factor: f"{count.right} of {count.total}" for count in kind.factors}
        rows.append((kind.kind, *(counts.get(factor, "-") for factor in factors)))
    heads = [f"{_change(factor)} called {right_word(factor, evidence.threshold)}" for factor in factors]
    return _markdown(["kind of work", *heads], rows)


def _change(factor: float) -> str:
    return "no change" if factor == 1 else f"{round((factor - 1) * 100, 6):+g}%"


def _of_factor(tool: ToolSummary, factor: float, word: str | None) -> str:
    for count in tool.factors:
        if count.factor == factor:
            hits = count.verdicts.get(word or "regressed", 0)
            at_least = "" if word is None else f", at least {_percent(lower_bound(hits, count.total))}"
            return f"{hits} of {count.total} ({hits / count.total:.0%}{at_least})"
    return "-"


def _percent(value: float | None, *, signed: bool = False) -> str:
    return "-" if value is None else f"{value:+.2%}" if signed else f"{value:.1%}"


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
