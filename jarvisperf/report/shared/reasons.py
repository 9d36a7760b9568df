"""The reasons for regressions: the changed functions that a benchmark executes, with their shares of the change."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.escaping import visible
from jarvisperf.measure.metrics import TIME
from jarvisperf.profiles.difference import costs
from jarvisperf.profiles.model import scaled
from jarvisperf.report.shared import units

if TYPE_CHECKING:
    from jarvisperf.profiles.model import Profile
    from jarvisperf.report.findings.model import BenchmarkFinding, Findings
    from jarvisperf.suspects.model import Explanation, Suspect

LONGEST_SECONDS = 1e30  # of a call; a profile cannot be scaled to more
MOST_NAMED = 3
MOST_INLINE = 2  # lines of a difference in a sentence
NOTHING_CHANGED = "no code that this benchmark executes has changed: dependency, data or machine"
NOT_ALL_SEEN = (
    "no code that was seen running has changed, but not all could be seen "
    "(other processes, threads started earlier, or too many calls)"
)


class Reason(NamedTuple):
    """The reason for a regression.

    Attributes:
        function: The most likely function; empty: no code has changed.
        file: Its file.
        line: A line of it in head; 0: unknown, or head does not have it.
        words: What is known about it; with the function before them, a sentence without a period.
    """

    function: str
    file: str
    line: int
    words: str

    @property
    def place(self) -> str:
        """The place of the function; empty if there is none."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def named(self) -> str:
        """The function and its place; empty if there is none."""
        return f"{self.function} ({self.place})" if self.function else ""

    @property
    def sentence(self) -> str:
        """The whole reason."""
        return f"{self.named} {self.words}" if self.function else self.words


def cause_of(finding: BenchmarkFinding) -> Reason | None:
    """Return the reason for a regression; None if there is none, or nothing is known."""
    if not any(metric.verdict == "regressed" for metric in finding.metrics.values()):
        return None
    if finding.explanation is not None:
        return _of_suspects(finding.explanation)
    return _grown_most(finding)


def reasons(findings: Findings) -> list[str]:
    """Return a line for each regression whose reason is known."""
    found = ((finding.id, reason_of(finding)) for finding in findings.benchmarks)
    return [visible(f"{name}: {reason}") for name, reason in found if reason]


def reason_of(finding: BenchmarkFinding) -> str:
    """Return the reason for a regression as a sentence without a period; empty if nothing is known."""
    cause = cause_of(finding)
    return cause.sentence if cause is not None else ""


def _of_suspects(explanation: Explanation) -> Reason:
    if not explanation.suspects:
        told = f" ({', '.join(explanation.calls)})" if explanation.calls else ""
        return Reason("", "", 0, f"{NOTHING_CHANGED if explanation.is_complete else NOT_ALL_SEEN}{told}")
    first, *others = explanation.suspects
    line = 0 if first.difference == "removed" else first.line
    if first.share is not None:
        return Reason(first.function, first.file, line, f"{state_of(first)} and {share_of(first)}")
    shown = [f"{one.function} ({one.file}:{one.line}), which {state_of(one)}" for one in others[: MOST_NAMED - 1]]
    shown += [f"{len(others) - len(shown)} more"] if len(others) > len(shown) else []
    more = f"; so may {'; and '.join(shown)}" if shown else ""
    lines = f": {'  '.join(first.lines[:MOST_INLINE])}" if first.lines and not others else ""
    return Reason(first.function, first.file, line, f"{state_of(first)} and may explain the change{lines}{more}")


def state_of(suspect: Suspect) -> str:
    """Say what differs about a suspect, in a few words that continue a sentence."""
    states = {
        "changed": "changed",
        "new": "is new",
        "removed": "was removed",
        "reads": "",
        "compiled": "is compiled and differs",
    }
    details = list(suspect.details)
    state = states[suspect.difference]
    if not state:
        state = details.pop(0) if details else "reads what changed"
    prepares = ["prepares its data"] if suspect.prepares else []
    extra = "; ".join([*prepares, *details])
    return f"{state} ({extra})" if extra else state


def share_of(suspect: Suspect) -> str:
    """Say how much of the change a suspect explains, with the interval; empty if that is unknown."""
    if suspect.share is None or suspect.interval is None:
        return ""
    low, high = suspect.interval
    span = f" ({low * 100:.0f} to {high * 100:.0f}%)" if round(low, 2) < round(high, 2) else ""
    return f"explains {suspect.share * 100:.0f}% of the change{span}"


def _grown_most(finding: BenchmarkFinding) -> Reason | None:
    """Name the function that grew most, in a report that does not know which code changed."""
    profiles = compared_profiles(finding)
    metric = finding.metrics.get(finding.profile.explains) if finding.profile else None
    if profiles is None or profiles[1] is None or metric is None or metric.verdict != "regressed":
        return None
    cost = next(iter(costs(*profiles)), None)
    if cost is None or cost.change <= 0:
        return None
    return Reason(cost.function, cost.file, cost.line, f"grew most, by {units.quantity(cost.change, profiles[0].unit)}")


def compared_profiles(finding: BenchmarkFinding) -> tuple[Profile, Profile | None] | None:
    """Return the profiles of head and base, scaled to the measured totals; None if head was not profiled."""
    head, base = finding.profile, finding.base_profile
    if head is None:
        return None
    time = finding.metrics.get(TIME.name)
    if head.explains == TIME.name and time and time.head:
        head = _scaled(head, time.head.median)
        if base is not None and time.ratio:
            base = _scaled(base, time.head.median / time.ratio)
    return head, base


def _scaled(profile: Profile, seconds: float) -> Profile:
    """Scale a profile to the seconds of a call, unless those are beyond any real call."""
    return scaled(profile, seconds) if seconds < LONGEST_SECONDS else profile
