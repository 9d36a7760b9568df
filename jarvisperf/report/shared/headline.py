"""Summarizes the findings in one sentence: how many benchmarks have which verdict, and whether to trust the run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from jarvisperf.escaping import visible
from jarvisperf.report.findings.borderline import AT_THRESHOLD
from jarvisperf.report.findings.model import arm_text
from jarvisperf.report.shared.table import SEVERITY, shown_verdict_of, verdict_of

if TYPE_CHECKING:
    from jarvisperf.report.findings.model import Findings


def summary_line(findings: Findings) -> str:
    """Summarize the findings in one line, whose numbers add up to the number of benchmarks."""
    words = [_comparison(findings) if findings.base is not None else _recording(findings)]
    if was_measured_in_lockstep(findings) or not findings.trusted:
        words.append(
            "run trusted"
            if findings.trusted
            else "run NOT trusted, because identical code differed in it or could not be measured"
        )
    if findings.interrupted:
        words.append("run NOT finished")
    return "; ".join([*words, f"{findings.seconds:.0f} s"])


def was_measured_in_lockstep(findings: Findings) -> bool:
    """Return whether any verdict comes from lockstep, so that its control says something about this run."""
    return any(metric.via == "lockstep" for finding in findings.benchmarks for metric in finding.metrics.values())


def counted(count: int, word: str) -> str:
    """Write a number of things: ``1 benchmark``, ``2 benchmarks``."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def over_words(count: int) -> str:
    """Say how many of the measured benchmarks exceed an absolute limit; without a comparison, only these regress."""
    return f" ({count:,} over the limit)" if count else ""


def _recording(findings: Findings) -> str:
    found = Counter(verdict_of(finding) for finding in findings.benchmarks)
    failed, skipped = found["error"], found["skipped"]
    measured = len(findings.benchmarks) - failed - skipped
    words = [f"{counted(measured, 'benchmark')} measured{over_words(found['regressed'])}"]
    words += [f"{number:,} {word}" for number, word in ((failed, "failed"), (skipped, "skipped")) if number]
    return f"{', '.join(words)}, nothing compared"


def _comparison(findings: Findings) -> str:
    found = Counter(map(shown_verdict_of, findings.benchmarks))
    words = [f"{found['regressed']:,} of {len(findings.benchmarks):,} regressed"]
    words += [f"{found[AT_THRESHOLD]:,} {AT_THRESHOLD}"] if found[AT_THRESHOLD] else []
    words += [f"{found[verdict]:,} {verdict}" for verdict in SEVERITY if verdict != "regressed" and found[verdict]]
    if findings.mode == "baseline":
        again = sum(any(metric.via == "lockstep" for metric in one.metrics.values()) for one in findings.benchmarks)
        words[-1] += f" ({again:,} measured again in lockstep)" if again else ""
    return ", ".join(words)


def machine_line(findings: Findings) -> str:
    """Describe in one line the machine that it was measured on."""
    machine = findings.machine
    words = [
        machine.cpu,
        f"{machine.cores} core{'' if machine.cores == 1 else 's'}",
        machine.python,
        machine.system,
    ]
    if machine.virtualized:
        words.append(f"virtual ({machine.virtualized})")
    if machine.load is not None:
        words.append(f"load {machine.load:g}")
    return visible(", ".join(words))


def commit_line(findings: Findings) -> str:
    """Describe in one line what was measured: commit, branch, state of the working tree."""
    return "no commit" if findings.head.commit is None else visible(f"commit {arm_text(findings.head)}")
