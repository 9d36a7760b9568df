"""Runs a proof: rounds of comparisons of identical code, some of it slowed, for as long as the user allows."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.clocks import REAL
from jarvisperf.gate.lockstep.campaign import Lockstep
from jarvisperf.gate.proof import conclusions
from jarvisperf.gate.proof.model import KnownComparison, Proof
from jarvisperf.measure.metrics import TIME
from jarvisperf.measure.metrics.time import CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jarvisperf.gate.lockstep.model import Campaign, Outcome, Progress
    from jarvisperf.gate.lockstep.tally import Tally

USUAL_THRESHOLD = 0.05  # for benchmarks that are compared without one
TIMES_THRESHOLD = (0.0, 2.0, 0.0, 1.5, 0.0, 3.0)  # sizes of the injected slowdowns, in turn; half are identical code
FIRST_ROUND_SHARE = 0.5  # of the time
SEEDS_PER_ROUND = 200_000
MOST_GROWTH = 1.5
NOISY = "it is much noisier than the rest: look for caches, files, threads, or input that differs from run to run"


class Rounds:
    """The rounds of one proof.

    Args:
        campaign: The benchmarks; `same` is a copy of `base`.
        seconds: How long it may take.
        progress: Called before each benchmark of each launch.
        clock: Returns the time in seconds.

    Attributes:
        rows: The comparisons so far.
        count: The number of finished rounds.
    """

    def __init__(
        self,
        campaign: Campaign,
        seconds: float,
        progress: Callable[[Progress], None],
        clock: Callable[[], float] = REAL.wall,
    ) -> None:
        self._campaign = campaign
        self._seconds = seconds
        self._progress = progress
        self._clock = clock
        self._start = clock()
        self._next = 0
        self._to_fix: dict[str, dict[str, None]] = {name: {} for name in campaign.ids}
        self.rows: list[KnownComparison] = []
        self.count = 0

    def run(self) -> None:
        """Run rounds until the time is spent; there is always one.

        Raises:
            LockstepError: Nothing can be compared.
        """
        names = list(self._campaign.ids)
        usual = statistics.fmean(map(self._campaign.budget, names))
        size = max(1, min(len(names), int(FIRST_ROUND_SHARE * self._seconds / usual)))
        while size > 0:
            begin = self._clock()
            chosen = [names[(self._next + place) % len(names)] for place in range(size)]
            self._next += size
            self._round(chosen)
            now = self._clock()
            left = self._seconds - (now - self._start)
            size = min(len(names), int(left / ((now - begin) / size)))

    def _round(self, names: Sequence[str]) -> None:
        campaign, number = self._campaign, self.count
        # The first round is a suite of identical code; in the others, each benchmark has another size than before.
        injected = {
            name: TIMES_THRESHOLD[(place + number) % len(TIMES_THRESHOLD)] * self.threshold(name) if number else 0.0
            for place, name in enumerate(names)
        }
        slowed = {name: share for name, share in injected.items() if share}
        outcome = Lockstep(
            msgspec.structs.replace(
                campaign,
                ids=tuple(names),
                head=campaign.same,
                args=campaign.args | {"slowdowns": slowed, "slowed_arm": campaign.same.name, "metrics": TIME.name},
                thresholds={name: {TIME.name: self.threshold(name)} for name in names},
                refused={name: why for name, why in campaign.refused.items() if name in injected},
                seed=campaign.seed + SEEDS_PER_ROUND * number,
                has_control=False,
            ),
            self._progress,
        ).run()
        self._add(injected, outcome)
        self.count += 1

    def _add(self, injected: dict[str, float], outcome: Outcome) -> None:
        for name, share in injected.items():
            tally = outcome.tallies[name]
            self.rows.append(_row(name, self.count, share, tally))
            self._to_fix[name].update(dict.fromkeys(_to_fix(tally)))

    def threshold(self, name: str) -> float:
        """Return a benchmark's threshold for time."""
        found = self._campaign.thresholds[name].get(TIME.name, USUAL_THRESHOLD)
        return found if math.isfinite(found) else USUAL_THRESHOLD

    @property
    def seconds_left(self) -> float:
        """Seconds until the time is spent; a round that runs may take longer."""
        return max(0.0, self._seconds - (self._clock() - self._start))

    def proof(self, *, created: str, machine: str, commit: str, interrupted: bool) -> Proof:
        """Conclude what the rounds so far have shown.

        Args:
            created: When it started, ISO 8601 in UTC.
            machine: The machine, in one line.
            commit: The commit that was compared with itself.
            interrupted: Whether it was ended early.
        """
        by_id: dict[str, list[KnownComparison]] = {}
        for row in self.rows:
            by_id.setdefault(row.id, []).append(row)
        benchmarks = [
            conclusions.proven(name, rows, self.threshold(name), self._campaign.budget(name), list(self._to_fix[name]))
            for name, rows in by_id.items()
        ]
        noisy = conclusions.noisier_than_the_rest(benchmarks)
        benchmarks = [
            msgspec.structs.replace(one, to_fix=(*one.to_fix, NOISY)) if one.id in noisy else one for one in benchmarks
        ]
        sound = [one for one in benchmarks if not one.to_fix] or benchmarks
        in_sound = [row for one in sound for row in by_id[one.id]]
        identical = [row for row in self.rows if not row.injected and row.verdict is not None]
        alarms = sum(map(conclusions.is_alarm, identical))
        return Proof(
            created=created,
            seconds=self._clock() - self._start,
            machine=machine,
            commit=commit,
            rounds=self.count,
            identical=len(identical),
            false_alarms=alarms,
            alarms_at_most=conclusions.at_most(alarms, len(identical)),
            undecided=sum(row.verdict == "inconclusive" for row in identical),
            detections=conclusions.detections(self.rows, {name: self.threshold(name) for name in by_id}),
            threshold=conclusions.recommended_threshold(sound, in_sound),
            budget_seconds=conclusions.recommended_budget(sound),
            benchmarks=tuple(benchmarks),
            comparisons=tuple(self.rows),
            interrupted=interrupted,
        )


def _row(name: str, number: int, share: float, tally: Tally) -> KnownComparison:
    metric = tally.metrics.get(TIME.name)
    judgement = metric.judgement if metric is not None and tally.state == "decided" else None
    if metric is None or judgement is None:
        why = tally.message or "it measures no time"
        return KnownComparison(name, number, share, error=why)
    return KnownComparison(
        id=name,
        round=number,
        injected=share,
        verdict=judgement.verdict,
        ratio=judgement.ratio,
        interval=judgement.interval,
        sure_interval=judgement.sure_interval,
        launches=judgement.launches,
        spread=statistics.stdev(metric.log_ratios) if len(metric.log_ratios) > 1 else None,
    )


def _to_fix(tally: Tally) -> list[str]:
    """Return what makes a benchmark noisy by itself, or impossible to measure."""
    metric = tally.metrics.get(TIME.name)
    if tally.state != "decided" or metric is None:
        return [f"it could not be measured: {tally.message or 'it measures no time'}"]
    found = []
    if tally.unequal:
        found.append(f"{tally.unequal}: draw its input from a seeded generator")
    if not 1 / MOST_GROWTH < metric.growth < MOST_GROWTH:
        trend = "longer" if metric.growth > 1 else "less time"  # without a figure, which differs from round to round
        found.append(
            f"its last calls took much {trend} than its first ones, so its state changes: give each call a fresh one "
            "with pedantic(setup=...)"
        )
    if metric.method == CLOCK:
        found.append("it waits, so other processes add to its time: replace what it waits for, or accept the noise")
    return found
