"""Compares benchmarks in lockstep with a git revision: prepares the arms, measures, and keeps the findings."""

from __future__ import annotations

import math
import re
import secrets
import traceback
from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pytest

from jarvisperf.measure.metrics import TIME
from jarvisperf.measure.metrics.instructions import INSTRUCTIONS
from pytest_jarvisperf.arms.arguments import ENTRY, PRELOADED_PACKAGES, orders, own_budgets, preloaded
from pytest_jarvisperf.arms.paths import ArmPaths
from pytest_jarvisperf.arms.support_files import compared_plugins, support_files
from pytest_jarvisperf.markers.jarvis import read_thresholds
from pytest_jarvisperf.measuring.stash_keys import record_key
from pytest_jarvisperf.sessions.outputs import joined_notes
from pytest_jarvisperf.sessions.progress import LONGEST_NAME, LongCalls, ProgressLine, Silences, duration, tell_line
from pytest_jarvisperf.state import state_of
from pytest_jarvisperf.unfinished import Resumption, conditions_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from jarvisperf.gate.arms.prepare import Arms
    from jarvisperf.gate.arms.revision import Repository
    from jarvisperf.gate.lockstep.campaign import Lockstep
    from jarvisperf.gate.lockstep.model import Campaign, Counts, Outcome, Progress
    from jarvisperf.gate.lockstep.tally import Tally
    from jarvisperf.measure.metrics.instruction_counters import CountingWay
    from jarvisperf.report.findings.model import BenchmarkFinding
    from jarvisperf.suspects.blind_spots import BlindSpots
    from pytest_jarvisperf.explaining.explanation import Answers
    from pytest_jarvisperf.options import Options

_LACKING = re.compile(r"base: (AttributeError: |TypeError: .*unexpected keyword argument)")
MOST_GROWTH = 1.5
INTERRUPTED = "the run was interrupted"


class Comparison:
    """Compares benchmarks with a revision, once.

    Args:
        config: pytest's config.
        options: This plugin's options.
        repository: The repository and the two commits.

    Attributes:
        outcome: The result of lockstep, perhaps partial; None if it did not start.
        problem: The reason why the comparison was not made or not finished; None if it was finished.
        interrupted: Whether Ctrl-C, a signal or `pytest.exit` ended it.
        findings: The findings by id.
        missing: The ids of benchmarks that exist in base but not in head.
        left_out: The ids of benchmarks that the change cannot have affected.
        warnings: Warnings for the user, one line each.
    """

    def __init__(self, config: pytest.Config, options: Options, repository: Repository) -> None:
        self._config = config
        self._options = options
        self._metrics = state_of(config).metrics
        self._repository = repository
        self._items: list[pytest.Item] = []
        self._lockstep: Lockstep | None = None
        self._old_ids: dict[str, str] = {}
        self._in_base: frozenset[str] = frozenset()
        self._knows_base = False
        self._refused: dict[str, str] = {}
        self._generated: tuple[str, ...] = ()
        self._answers: Answers | None = None
        self._why_affected: dict[str, str] = {}
        self.outcome: Outcome | None = None
        self.problem: str | None = None
        self.interrupted = False
        self.findings: dict[str, BenchmarkFinding] = {}
        self.missing: tuple[str, ...] = ()
        self.left_out: frozenset[str] = frozenset()
        self.warnings: list[str] = []

    @property
    def trusted(self) -> bool:
        """Whether the control showed no difference."""
        return self.outcome is None or self.outcome.trusted

    @property
    def control(self) -> str:
        """The result of the control, in one line."""
        return self.outcome.control if self.outcome else ""

    @property
    def blind_spots(self) -> BlindSpots | None:
        """The changed functions that no benchmark executes; None if that is unknown, or no function changed."""
        return self._answers.blind_spots if self._answers else None

    @property
    def shortfall(self) -> str | None:
        """The reason why the comparison was not finished, as a line for the user; None if it was finished."""
        if self.problem is None:
            return None
        what = "nothing was compared" if self.outcome is None else "the comparison was not finished"
        summary = self.problem.partition("\n")[0]  # the failed tests show the details
        return f"{what}: {summary}"

    def measure(self, items: Sequence[pytest.Item], present: Collection[str] | None = None) -> None:
        """Measure benchmarks; whatever ends that early, the decisions made so far are kept.

        Args:
            items: The benchmarks.
            present: The ids of all tests in head, to find missing ones; None: do not look for missing tests.

        Raises:
            KeyboardInterrupt: Ctrl-C.
            pytest.exit.Exception: A signal, or a call of `pytest.exit`.
        """
        from jarvisperf.gate.arms.git import GitError
        from jarvisperf.gate.arms.prepare import InstallError
        from jarvisperf.gate.lockstep.model import LockstepError
        from jarvisperf.gate.processes.workers import WorkerError

        self._items = list(items)
        line = ProgressLine(self._config)
        try:
            self._compare(line, present)
        except (GitError, InstallError, LockstepError, WorkerError, OSError) as error:
            self.problem = str(error)
        except (KeyboardInterrupt, pytest.exit.Exception):
            self.problem, self.interrupted = INTERRUPTED, True
            raise
        except Exception as error:  # noqa: BLE001  # our own bug must not lose the decisions made so far
            self.problem = f"internal error of jarvisperf: {type(error).__name__}: {error}"
            self.warnings.append(f"please report this:\n{traceback.format_exc()}")
        finally:
            line.clear()
            self._conclude()

    def is_decided(self, name: str) -> bool:
        """Return whether a benchmark was decided before the comparison ended."""
        from jarvisperf.gate.lockstep.campaign import NOT_COMPARED

        tally = self.outcome.tallies.get(name) if self.outcome else None
        return tally is not None and not tally.message.startswith(NOT_COMPARED)

    def failure(self, name: str) -> str:
        """Explain why a benchmark has no figures, with the traceback if there is one."""
        tally = self.outcome.tallies.get(name) if self.outcome else None
        return (tally.traceback or tally.message) if tally else self.problem or ""

    def limits(self, item: pytest.Item) -> tuple[dict[str, float], dict[str, float]]:
        """Return how much worse each metric of a test may get, as a share, and the absolute limits by metric."""
        return read_thresholds(item, self._metrics, self._options.thresholds or self._metrics.thresholds)

    def _compare(self, line: ProgressLine, present: Collection[str] | None) -> None:
        from jarvisperf.gate.lockstep.campaign import Lockstep

        with self._prepared(present) as (arms, whole):
            campaign = self._without_unaffected(whole, line) if self._options.affected else whole
            if not campaign.ids:
                return
            long_calls = LongCalls(self._config, campaign.budget, line)
            silences = Silences(self._config, line)

            def tell(progress: Progress) -> None:
                for name, seconds in progress.long_calls.items():
                    long_calls.tell(name, seconds)
                for name, seconds in progress.silent.items():
                    silences.tell(name, seconds)
                line.show(_told(progress))

            resumption = Resumption(
                self._config.rootpath,
                campaign,
                conditions_of(self._config, self._options, self._repository, arms, campaign),
                wanted=self._options.resumes,
                tell=partial(tell_line, self._config, line),
                warn=self.warnings.append,
            )
            self._lockstep = Lockstep(campaign, tell, earlier=resumption.earlier(), keep=resumption.keep)
            self.outcome = self._lockstep.run()
            self._refuse_what_the_base_cannot_run(self.outcome)
            self.warnings += self._notes()
            self._explain(campaign, self.outcome, arms, present)
            resumption.finish()

    def _without_unaffected(self, campaign: Campaign, line: ProgressLine) -> Campaign:
        """Leave out the benchmarks that the change cannot have affected."""
        if not self._items:
            return campaign
        from pytest_jarvisperf.affected import unaffected

        line.show("watching what the benchmarks execute")
        root = self._repository.root
        files = {item.nodeid: item.path.resolve().relative_to(root).as_posix() for item in self._items}
        found = unaffected(campaign, self._repository, files, self._options.arm_install)
        self.left_out = found.names
        self.warnings += found.problems
        self._why_affected = found.reasons
        if not found.names:
            self.warnings += joined_notes({name: [f"not left out: {why}"] for name, why in found.reasons.items()})
        return msgspec.structs.replace(campaign, ids=tuple(name for name in campaign.ids if name not in found.names))

    @contextmanager
    def prepared(self, items: Sequence[pytest.Item]) -> Iterator[Campaign]:
        """Prepare the arms without measuring anything; they exist until the context ends.

        Args:
            items: The benchmarks, one or more.

        Raises:
            GitError: git could not provide the files.
            InstallError: The command that installs the project failed.
            OSError: A file could not be written.
        """
        self._items = list(items)
        with self._prepared(None) as (_, campaign):
            yield campaign

    @contextmanager
    def _prepared(self, present: Collection[str] | None) -> Iterator[tuple[Arms, Campaign]]:
        from jarvisperf.gate.arms.prepare import Arms

        arms = Arms(self._repository, self._config.rootpath, self._options.arm_install)
        try:
            self._generated = arms.generated
            self._prepare(arms, present)
            self.warnings += arms.notes
            yield arms, self._campaign(arms)
        finally:
            arms.close()

    def _prepare(self, arms: Arms, present: Collection[str] | None) -> None:
        """List base's own benchmarks, then copy head's benchmark files to base."""
        from jarvisperf.gate.arms.prepare import shared_files
        from pytest_jarvisperf.sessions.missing_benchmarks import find_absent

        root = self._repository.root
        if present is not None:
            absent = find_absent(self._config, root, arms, ENTRY, present)
            self.missing, self._old_ids, self._in_base = absent.missing, absent.old_ids, absent.in_base
            self._knows_base = not absent.problems
            self.warnings += absent.problems
            renamed = Counter((_file(old), _file(new)) for new, old in self._old_ids.items())
            self.warnings += [
                f"{new} was {old} in base: {count} benchmark{'' if count == 1 else 's'} compared under the new name"
                for (old, new), count in renamed.items()
            ]
        packages = arms.layout.packages
        self.warnings += [
            f"{name}, a plugin used by the tests, differs between base and head, and each arm uses its own: "
            "list it in jarvis_shared to use head's on both"
            for name in arms.differing(compared_plugins(self._config, root, packages))
        ]
        files = [*(item.path for item in self._items), *support_files(self._config, root, packages)]
        places = arms.layout.places()
        self._refused = self._in_changed_code(arms, places)
        shared = shared_files(root, list(dict.fromkeys(files)), self._config.inipath, self._options.shared, places)
        arms.share(shared)
        arms.seal()

    def _campaign(self, arms: Arms) -> Campaign:
        from jarvisperf.gate.arms.checkout import BASE, HEAD, SAME
        from jarvisperf.gate.lockstep.model import Campaign

        counting, counts, metrics = self._counting(arms.folder)
        paths = ArmPaths(self._config, self._repository.root)
        layout = arms.layout
        return Campaign(
            ids=tuple(item.nodeid for item in self._items),
            base=arms.places[BASE],
            head=arms.places[HEAD],
            same=arms.places[SAME],
            entry=ENTRY,
            args=orders(
                self._config,
                self._options._replace(metrics=tuple(metrics)),
                self._items,
                paths,
                repository=self._repository.root,
                packages=layout.packages,
                names=layout.names,
            ),
            thresholds={item.nodeid: self.limits(item)[0] for item in self._items},
            budget_seconds=self._options.budget_seconds,
            budgets=own_budgets(self._items),
            most_launches=self._options.launches,
            refused=self._refused,
            preload=() if PRELOADED_PACKAGES.intersection(layout.packages) else preloaded(),
            seed=secrets.randbelow(1 << 20) * 1_000,
            folder=arms.folder,
            separate_written=arms.separate_written,
            rewritten_code=arms.rewritten_code,
            metrics=self._metrics,
            counting=counting,
            counts=counts,
        )

    def _counting(self, folder: Path) -> tuple[CountingWay | None, Counts, Sequence[str]]:
        """Return how and what for instructions are counted, and the metrics that ordinary launches measure."""
        from jarvisperf.measure.metrics.instruction_counters import VALGRIND, way_to_count

        names = self._options.metrics
        is_metric = INSTRUCTIONS.name in names
        if not (is_metric or self._options.witnesses):
            return None, "witness", names
        counts = folder / "instructions"
        counts.mkdir()
        way = way_to_count(counts)
        if way is None or way.method != VALGRIND or not is_metric:
            return way if self._options.witnesses and not is_metric else None, "witness", names
        others = tuple(name for name in names if name != INSTRUCTIONS.name)
        return way, "all" if others else "only", others or names

    def _in_changed_code(self, arms: Arms, packages: Sequence[str]) -> dict[str, str]:
        """Find benchmarks that cannot be compared: those in changed files of the project's code.

        Both arms use head's benchmark files, so such a file would be head's in both.

        Returns:
            The reason for each benchmark, by id.
        """
        from jarvisperf.gate.project.packages import is_in_folder, shared_test_folder

        root = self._repository.root
        changed = set()
        for path in dict.fromkeys(item.path.resolve() for item in self._items):
            name = path.relative_to(root).as_posix() if path.is_relative_to(root) else ""
            # A top-level module may be a benchmark that only looks like a module of the project.
            is_code = any(is_in_folder(name, package) for package in packages)
            if is_code and shared_test_folder(name, packages) is None and arms.differing([path]):
                changed.add(path)
        return {
            item.nodeid: f"{item.path.name} is part of the project's code and differs between base and head, but both "
            "arms use head's benchmark files: move the benchmark to another file"
            for item in self._items
            if item.path.resolve() in changed
        }

    def _refuse_what_the_base_cannot_run(self, outcome: Outcome) -> None:
        """Tell benchmarks that are new from those that exist in base, but that base cannot run in head's version."""
        for name, tally in outcome.tallies.items():
            is_known = self._old_ids.get(name, name) in self._in_base
            if tally.state == "error" and not is_known and self._knows_base and _LACKING.match(tally.message):
                # Nothing can have become slower in a benchmark that base's own files do not have.
                tally.end("new", tally.message.removeprefix("base: "))
            if tally.state == "new" and is_known and not self._options.allows_missing:
                reason = tally.message.removeprefix("new: ")
                tally.end(
                    "error",
                    f"not compared: base has this benchmark but cannot run head's version of it: {reason}; import "
                    "what is new in head only inside the new benchmarks, or accept this with --jarvis-allow-missing",
                )

    def _conclude(self) -> None:
        """Create the findings from what was measured so far."""
        from jarvisperf.report.findings.lockstep import benchmark_finding, left_out_finding, missing_finding

        if self.outcome is None and self._lockstep is not None:
            self.outcome = self._lockstep.so_far(self.problem or INTERRUPTED)
        self.findings |= {name: missing_finding(name) for name in self.missing}
        seconds = _seconds(self.outcome) if self.outcome is not None else {}
        for item in self._items:
            name, record = item.nodeid, item.stash[record_key]
            if name in self.left_out:
                self.findings[name] = left_out_finding(name, record.group, record.params, record.before)
            elif self.outcome is not None:
                shares, limits = self.limits(item)
                tally = self.outcome.tallies[name]
                found = benchmark_finding(
                    name, tally.group or record.group, record.params, tally, shares, limits, record.before
                )
                profiles = self._answers.profiles.get(name) if self._answers else None
                self.findings[name] = msgspec.structs.replace(
                    found,
                    base_profile=profiles.base if profiles else None,
                    profile=profiles.head if profiles else None,
                    base_id=self._old_ids.get(name),
                    explanation=self._answers.explanations.get(name) if self._answers else None,
                    seconds=seconds[name],
                    notes=(*found.notes, *self._affected_note(name)),
                )

    def _affected_note(self, name: str) -> list[str]:
        why = self._why_affected.get(name)
        return [] if why is None else [f"the change can affect it: {why}"]

    def _notes(self) -> list[str]:
        """Return notes for readers of the verdicts: shared files, and calls that change over time."""
        found = []
        if self._generated:
            more = f" and {len(self._generated) - 1} more" if len(self._generated) > 1 else ""
            found.append(
                f"git ignores {self._generated[0]}{more}, so both arms use the working tree's; "
                "--jarvis-arm-install builds each arm's own"
            )
        tallies = self.outcome.tallies if self.outcome else {}
        found += joined_notes({name: tally.notes for name, tally in tallies.items()})
        found += joined_notes({name: _doubts(tally) for name, tally in tallies.items()})
        found += self._witness_notes()
        for name, tally in tallies.items():
            growth = tally.metrics[TIME.name].growth if TIME.name in tally.metrics else 1.0
            if not 1 / MOST_GROWTH < growth < MOST_GROWTH:
                found.append(
                    f"{name}: its last calls took {growth:.2g} times as long as its first ones, so the calls do not do "
                    "the same work; give each a fresh state with pedantic(setup=...), or its ratio means little"
                )
        return found

    def _witness_notes(self) -> list[str]:
        """Say what the instruction counts settled, what they show otherwise, and what counting cost or needs."""
        from jarvisperf.measure.metrics.instruction_counters import ADVICE, method_of_arms
        from jarvisperf.report.shared.failure_lines import witness_words
        from jarvisperf.report.shared.headline import counted

        if self.outcome is None or not self._options.witnesses:
            return []
        times = {name: tally.metrics.get(TIME.name) for name, tally in self.outcome.tallies.items()}
        notes = {}
        for name, time in times.items():
            if time is not None and time.witness is not None:
                settled = "unchanged, although time alone could not tell: " if time.witness.settles else ""
                notes[name] = [f"{settled}{witness_words(time.witness)}"]
        found = joined_notes(notes)
        if self.outcome.counted:
            found.append(
                f"the instructions of {counted(self.outcome.counted, 'benchmark')} that time left open were counted in "
                f"{duration(self.outcome.counting_seconds)}; --jarvis-witness never leaves that out"
            )
        is_open = any(time and time.judgement and time.judgement.verdict == "inconclusive" for time in times.values())
        if is_open and method_of_arms() is None:
            found.append(f"what time cannot tell, equal instruction counts might settle: {ADVICE}")
        return found

    def _explain(self, campaign: Campaign, outcome: Outcome, arms: Arms, present: Collection[str] | None) -> None:
        """Find out why benchmarks regressed, and what no benchmark executes; this does not affect verdicts."""
        from jarvisperf.gate.arms.git import GitError
        from pytest_jarvisperf.explaining.explanation import Questions, explain

        measured = tuple(name for name, tally in outcome.tallies.items() if tally.state == "decided")
        regressed = tuple(name for name in measured if _regressed(outcome.tallies[name]))
        try:
            self._answers = explain(
                campaign,
                Questions(
                    regressed=regressed,
                    slower=frozenset(name for name in regressed if _regressed(outcome.tallies[name], TIME.name)),
                    profiled=tuple(outcome.tallies) if self._options.profile else None,
                    measured=measured,
                    changed_files=tuple(arms.changed_code()),
                    is_whole_suite=present is not None and set(present) <= outcome.tallies.keys(),
                ),
            )
        except (GitError, OSError) as error:
            self.warnings.append(f"the regressions could not be explained: {error}")
        else:
            self.warnings += self._answers.problems


def _seconds(outcome: Outcome) -> dict[str, float]:
    """Return how long each benchmark took: its samples, and an equal share of everything else."""
    measuring = math.fsum(tally.seconds for tally in outcome.tallies.values())
    others = max(0.0, outcome.seconds - measuring) / max(len(outcome.tallies), 1)
    return {name: tally.seconds + others for name, tally in outcome.tallies.items()}


def _regressed(tally: Tally, wanted: str | None = None) -> bool:
    """Return whether a metric, or any, regressed."""
    return any(
        metric.judgement is not None and metric.judgement.verdict == "regressed"
        for name, metric in tally.metrics.items()
        if wanted in {None, name}
    )


def _doubts(tally: Tally) -> list[str]:
    """Explain, for a benchmark that is not unchanged, why its arms may have done different work."""
    differs = any(metric.judgement and metric.judgement.verdict != "unchanged" for metric in tally.metrics.values())
    if not (tally.unequal and differs):
        return []
    return [f"{tally.unequal}, so the arms may have done different work: draw its inputs from a seeded generator"]


def _file(name: str) -> str:
    return name.partition("::")[0]


def _told(progress: Progress) -> str:
    return (
        f"launch {progress.launch}: {progress.undecided} of {progress.total} undecided, "
        f"at most {duration(progress.seconds_left)} left  {progress.benchmark[-LONGEST_NAME:]}"
    )
