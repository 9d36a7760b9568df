"""The content of the HTML page: headline, sections of rows, environment."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.report.findings.borderline import AT_THRESHOLD
from jarvisperf.report.findings.model import arm_text
from jarvisperf.report.hosting import commit_link, hosting_of
from jarvisperf.report.html.change_pictures import SIGNS
from jarvisperf.report.html.plain import PairPanel, pair_panels, plain_sections
from jarvisperf.report.html.sections import Section, compared_sections
from jarvisperf.report.shared.headline import over_words
from jarvisperf.report.shared.table import SEVERITY, shown_verdict_of, verdict_of
from jarvisperf.runs.machine import differing, machine_facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jarvisperf.report.findings.model import Arm, BenchmarkFinding, Findings
    from jarvisperf.report.shared.report import Report
    from jarvisperf.report.shared.table import Outcome

WITHOUT_FIGURES: dict[Outcome, str] = {"error": "failed", "skipped": "skipped"}
SEVERE = frozenset({"error", "regressed", "missing"})


class Chip(NamedTuple):
    """The number of benchmarks with a verdict; choosing it shows only these."""

    verdict: str
    sign: str
    number: int


class Fact(NamedTuple):
    """A fact about the run.

    Attributes:
        name: Its name.
        text: Its value.
        address: The page about it; empty if there is none.
    """

    name: str
    text: str
    address: str = ""


class Page(NamedTuple):
    """Everything on the page.

    Attributes:
        headline: The result, in one sentence.
        state: ``bad``, ``warn`` or ``good``; empty if nothing was compared.
        chips: The numbers of benchmarks by verdict, which add up to all benchmarks; empty if nothing was compared.
        facts: What was compared, when and where.
        warnings: Why the result should not be relied on.
        unexecuted: How many changed functions no benchmark executes; empty if there are none.
        unexecuted_functions: These functions.
        pairs: The pairs before and after.
        sections: The rows.
        total: The number of rows.
        metrics: The names of the metrics.
        compared: Whether anything was compared.
        elsewhere: The file that has all figures; empty if it is not written.
        differences: Facts that differ between the machines of base and head.
        environment: One sentence about the environment.
        machine: All facts of the machine.
    """

    headline: str
    state: str
    chips: list[Chip]
    facts: list[Fact]
    warnings: list[str]
    unexecuted: str
    unexecuted_functions: list[str]
    pairs: list[PairPanel]
    sections: list[Section]
    total: int
    metrics: list[str]
    compared: bool
    elsewhere: str
    differences: list[tuple[str, str, str]]
    environment: str
    machine: list[tuple[str, str]]


def page_of(report: Report) -> Page:
    """Build the content of the page."""
    findings = report.findings
    compared = findings.base is not None
    ordered = list(findings.benchmarks)
    if compared:
        ordered.sort(key=lambda finding: SEVERITY.index(verdict_of(finding)))
    sections = compared_sections(report, ordered) if compared else plain_sections(report, ordered)
    counts = Counter(verdict_of(finding) for finding in ordered)
    differences = _differences(findings)
    at_threshold = sum(shown_verdict_of(finding) == AT_THRESHOLD for finding in ordered)
    return Page(
        headline=_headline(findings, counts, at_threshold),
        state=_state(findings, ordered),
        chips=[Chip(word, SIGNS[word], counts[word]) for word in SEVERITY if counts[word]] if compared else [],
        facts=_facts(report),
        warnings=_warnings(findings),
        unexecuted=report.unexecuted,
        unexecuted_functions=report.unexecuted_functions,
        pairs=[] if compared else pair_panels(report, ordered),
        sections=sections,
        total=sum(len(section.rows) for section in sections),
        metrics=sorted({name for finding in ordered for name in finding.metrics}),
        compared=compared,
        elsewhere="report.json" if "report.json" in report.files else "",
        differences=differences,
        environment=f"{report.machine}. {_environment_line(findings, differences)}",
        machine=list(machine_facts(findings.machine).items()),
    )


def _headline(findings: Findings, counts: Mapping[Outcome, int], at_threshold: int) -> str:
    total = len(findings.benchmarks)
    if not total:
        return "No benchmark was measured"
    if findings.base is not None:
        if counts["left out"] == total:
            return f"Nothing was measured: the change affects none of {_benchmarks(total)}"
        return _comparison_headline(total, counts, at_threshold)
    words = [f"{_benchmarks(total - counts['error'] - counts['skipped'])} measured{over_words(counts['regressed'])}"]
    words += [f"{counts[verdict]:,} {word}" for verdict, word in WITHOUT_FIGURES.items() if counts[verdict]]
    return ", ".join(words)


def _comparison_headline(total: int, counts: Mapping[Outcome, int], at_threshold: int) -> str:
    words: dict[Outcome, str] = {"regressed": "regressed", "missing": "missing", "error": "failed"}
    bad = [(counts[verdict], word) for verdict, word in words.items() if counts[verdict]]
    if bad:
        (count, word), *others = bad
        return ", ".join([f"{count:,} of {_benchmarks(total)} {word}", *(f"{n:,} {other}" for n, other in others)])
    if at_threshold and at_threshold == counts["inconclusive"]:
        verb = "lies" if at_threshold == 1 else "lie"
        return f"No regression beyond the threshold, but {at_threshold} of {_benchmarks(total)} {verb} right at it"
    if counts["inconclusive"]:
        return f"No regression found, but {counts['inconclusive']} of {_benchmarks(total)} could not be decided"
    if counts["improved"]:
        return f"{counts['improved']} of {_benchmarks(total)} improved, none regressed"
    if counts["unchanged"] == total:
        return f"Nothing changed in {_benchmarks(total)}"
    return f"None of {_benchmarks(total)} regressed"


def _benchmarks(count: int) -> str:
    return f"{count:,} benchmark{'' if count == 1 else 's'}"


def _facts(report: Report) -> list[Fact]:
    findings = report.findings
    hosting = hosting_of({}, findings.repository)

    def arm(name: str, one: Arm) -> Fact:
        return Fact(name, arm_text(one), commit_link(hosting, one.commit))

    if findings.base is not None:
        how = "measured in turns (lockstep)" if findings.mode == "lockstep" else "compared with stored runs"
        facts = [arm("base", findings.base), arm("head", findings.head), Fact("how", how)]
    else:
        facts = [arm("commit", findings.head), Fact("how", "nothing was compared")]
    return [*facts, Fact("when", f"{_time(findings.created)}, took {findings.seconds:,.0f} s")]


def _warnings(findings: Findings) -> list[str]:
    warnings = []
    if not findings.trusted:
        warnings.append("This run is not trusted: identical code differed in it or could not be measured.")
    if findings.interrupted:
        warnings.append("This run was interrupted before every benchmark was done.")
    return warnings


def _state(findings: Findings, ordered: Sequence[BenchmarkFinding]) -> str:
    found: set[str] = {verdict_of(finding) for finding in ordered}
    bad = SEVERE - {"missing"} if findings.allows_missing else SEVERE
    if found & bad or not findings.trusted or findings.interrupted:
        return "bad"
    if findings.base is None:
        return ""
    return "warn" if "inconclusive" in found else "good"


def _time(created: str) -> str:
    from jarvisperf.runs.names import utc_time

    try:
        return f"{utc_time(created):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return created


def _differences(findings: Findings) -> list[tuple[str, str, str]]:
    if findings.base_machine is None:
        return []
    return differing(machine_facts(findings.base_machine), machine_facts(findings.machine))


def _environment_line(findings: Findings, differences: list[tuple[str, str, str]]) -> str:
    if findings.base is None:
        return "Nothing was compared."
    if findings.mode == "lockstep":
        return "Base and head ran side by side on the same machine with the same packages."
    if differences:
        return f"{len(differences)} facts differ: {', '.join(name for name, _, _ in differences)}."
    return "Machine and packages of base and head are the same."
