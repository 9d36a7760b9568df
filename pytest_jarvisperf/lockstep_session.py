"""`--jarvis-against`: measures the benchmark tests in lockstep, and has the ordinary loop report them."""

from __future__ import annotations

import math
import secrets
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pytest_jarvisperf.arm_paths import ArmPaths
from pytest_jarvisperf.markers import read_bench_marker, read_thresholds
from pytest_jarvisperf.progress import LONGEST_NAME, ProgressLine, duration
from pytest_jarvisperf.record import record_key
from pytest_jarvisperf.state import elsewhere_key

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from jarvisperf.gate.arms import Arms
    from jarvisperf.gate.campaign import Campaign, Outcome, Progress
    from jarvisperf.gate.revision import Repository
    from jarvisperf.gate.tally import Tally
    from jarvisperf.profiles.model import Profile
    from jarvisperf.report.findings import BenchmarkFinding, Findings
    from pytest_jarvisperf.options import Options

MOST_GROWTH = 1.5
ENTRY = "pytest_jarvisperf.worker:main"

# What a worker begins with, and the packages that this brings: a project that is one of them starts without.
PRELOADED = ("pytest", "_pytest.python", "_pytest.fixtures", "_pytest.terminal", "jarvisperf.gate.protocol")
PRELOADED_PACKAGES = frozenset(
    {"pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "typing_extensions", "msgspec", "jarvisperf"}
)


class LockstepSession:
    """The plugin object that compares with a revision.

    Args:
        config: pytest's.
        options: This plugin's.
        repository: The repository and the two commits.

    Attributes:
        warnings: What the user should know, a line each.
    """

    def __init__(self, config: pytest.Config, options: Options, repository: Repository) -> None:
        self._config = config
        self._options = options
        self._repository = repository
        self._outcome: Outcome | None = None
        self._problem: str | None = None
        self._items: list[pytest.Item] = []
        self._missing: list[str] = []
        self._generated: tuple[str, ...] = ()
        self._seeks_missing = True
        self._findings: dict[str, BenchmarkFinding] = {}
        self._profiles: dict[str, tuple[Profile | None, Profile | None]] = {}
        self.warnings: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Move the benchmarks behind the functional tests: they are measured together, once those have run."""
        items.sort(key=lambda item: record_key in item.stash)
        self._items = [item for item in items if record_key in item.stash]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Report a benchmark; before the first one, measure them all."""
        if record_key not in item.stash:
            return None
        if self._outcome is None and self._problem is None:
            self._measure()
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """After all tests, fail for each benchmark that the base has and head has not."""
        result = yield
        if not self._options.allows_missing and not session.config.option.collectonly:
            for name in self._missing:
                self._report_missing(session, name)
        return result

    @staticmethod
    def _report_missing(session: pytest.Session, name: str) -> None:
        location = (name.partition("::")[0], None, name.partition("::")[2])
        text = "missing: the base has this benchmark, head has not; --jarvis-allow-missing allows that"
        report = pytest.TestReport(name, location, {}, "failed", text, "call")
        hook = session.config.hook
        hook.pytest_runtest_logstart(nodeid=name, location=location)
        hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=name, location=location)

    def findings(self, created: str, seconds: float) -> Findings | None:
        """Give the report's data; None where nothing was measured."""
        from jarvisperf.report.findings import Arm, Findings, paired
        from jarvisperf.runs.commit import read_commit
        from jarvisperf.runs.machine import read_machine

        if self._outcome is None:
            return None
        head = read_commit(self._repository.root)
        findings = Findings(
            mode="lockstep",
            created=created,
            seconds=seconds,
            trusted=self._outcome.trusted,
            machine=read_machine(),
            base=Arm(commit=self._repository.base, name=self._options.against, dirty=False),
            head=Arm(commit=self._repository.head, name=head.branch if head else None, dirty=bool(head and head.dirty)),
            benchmarks=tuple(self._findings.values()),
        )
        return paired(findings)

    def measure(self, items: Sequence[pytest.Item]) -> dict[str, BenchmarkFinding]:
        """Measure these benchmarks now, without a look at what the base has beside them.

        Returns:
            What was found, by id; nothing of those that were skipped, and nothing at all where there is a `problem`.
        """
        self._items, self._seeks_missing = list(items), False
        self._measure()
        return self._findings

    def failure(self, name: str) -> str:
        """Say why a benchmark has no figures: the traceback where there is one."""
        tally = self._outcome.tallies.get(name) if self._outcome else None
        return (tally.traceback or tally.message) if tally else self._problem or ""

    def _notes(self) -> list[str]:
        """Say what the reader of the verdicts should know: files shared by the arms, and calls that are not alike."""
        found = []
        if self._generated:
            more = f" and {len(self._generated) - 1} more" if len(self._generated) > 1 else ""
            found.append(
                f"git ignores {self._generated[0]}{more}, so the working tree's serves on both arms; "
                "--jarvis-arm-install builds each arm's own"
            )
        tallies = self._outcome.tallies if self._outcome else {}
        found += dict.fromkeys(note for tally in tallies.values() for note in tally.notes)
        reasons = Counter(tally.message for tally in tallies.values() if tally.state == "new")
        found += [f"{count} new, not compared: {reason.removeprefix('new: ')}" for reason, count in reasons.items()]
        for name, tally in tallies.items():
            growth = tally.metrics["time"].growth if "time" in tally.metrics else 1.0
            if not 1 / MOST_GROWTH < growth < MOST_GROWTH:
                found.append(
                    f"{name}: its last calls took {growth:.2g} times as long as its first ones, so each call does "
                    "other work; give each a fresh state by pedantic(setup=...), or its ratio says little"
                )
        return found

    @property
    def trusted(self) -> bool:
        """Whether the control showed no difference."""
        return self._outcome is None or self._outcome.trusted

    @property
    def control(self) -> str:
        """What the control says, in one line."""
        return self._outcome.control if self._outcome else ""

    def _measure(self) -> None:
        from jarvisperf.gate.arms import Arms, InstallError
        from jarvisperf.gate.campaign import LockstepError
        from jarvisperf.gate.git import GitError
        from jarvisperf.gate.launch import WorkerError
        from jarvisperf.gate.lockstep import Lockstep
        from jarvisperf.report.lockstep_findings import benchmark_finding, missing_finding

        line = ProgressLine(self._config)
        try:
            arms = Arms(self._repository, self._config.rootpath, self._options.arm_install)
            try:
                self._generated = arms.generated
                self.warnings += arms.notes
                self._prepare(arms)
                campaign = self._campaign(arms)
                self._outcome = Lockstep(campaign, lambda progress: line.show(_told(progress))).run()
                self.warnings += self._notes()
                self._profile(campaign, self._outcome)
            finally:
                arms.close()
        except (GitError, InstallError, LockstepError, WorkerError, OSError) as error:
            self._problem = str(error)
            return
        finally:
            line.clear()
        for name in self._missing:
            self._findings[name] = missing_finding(name)
        for item in self._items:
            shares, limits = self._limits(item)
            tally = self._outcome.tallies[item.nodeid]
            record = item.stash[record_key]
            if tally.state != "skipped":
                found = benchmark_finding(
                    item.nodeid, tally.group or record.group, record.params, tally, shares, limits, record.before
                )
                base, head = self._profiles.get(item.nodeid, (None, None))
                self._findings[item.nodeid] = msgspec.structs.replace(found, base_profile=base, profile=head)

    def _profile(self, campaign: Campaign, outcome: Outcome) -> None:
        """Profile in both arms what regressed; with `--jarvis-profile` everything."""
        from pytest_jarvisperf.arm_profiles import profile_arms

        wanted = [
            name
            for name, tally in outcome.tallies.items()
            if self._options.profile
            or any(metric.judgement and metric.judgement.verdict == "regressed" for metric in tally.metrics.values())
        ]
        self._profiles, problems = profile_arms(
            (campaign.base, campaign.head), campaign.args["pytest"], wanted, campaign.folder
        )
        self.warnings += problems

    def _prepare(self, arms: Arms) -> None:
        """Look what the base itself has, then give it head's benchmark files."""
        from jarvisperf.gate.arms import shared_files

        if self._seeks_missing and not getattr(self._config.option, "lf", False):
            elsewhere: frozenset[str] = self._config.stash.get(elsewhere_key, frozenset())
            present = elsewhere.union(item.nodeid for item in self._items)
            self._missing = [name for name in self._originals(arms) if name not in present]
        files = list(dict.fromkeys(item.path for item in self._items))
        root = self._repository.root
        arms.share(shared_files(root, files, self._config.inipath, self._options.shared))

    def _selection(self) -> list[str]:
        """Give the words by which this pytest chose among its tests, wherever they were written."""
        option = self._config.option
        words = ["-k", option.keyword] if option.keyword else []
        words += ["-m", option.markexpr] if option.markexpr else []
        return words + [f"--deselect={name}" for name in option.deselect or ()]

    def _originals(self, arms: Arms) -> list[str]:
        """List the benchmarks that the base's own files have, in the places that this pytest was asked for."""
        from jarvisperf.gate.checkout import BASE
        from jarvisperf.gate.lockstep import collect
        from pytest_jarvisperf.worker_args import worker_arguments

        place = arms.places[BASE]
        paths = ArmPaths(self._config, self._repository.root)
        asked = paths.asked(place.cwd)
        if not asked:
            return []
        words = worker_arguments(self._config, asked, paths.config_file())
        args = {"pytest": [*words, *self._selection()], "packages": [], "repository": str(self._repository.root)}
        return collect(place, ENTRY, args, arms.folder)

    def _campaign(self, arms: Arms) -> Campaign:
        from jarvisperf.gate.campaign import Campaign
        from jarvisperf.gate.checkout import BASE, HEAD, SAME
        from pytest_jarvisperf.worker_args import worker_arguments

        paths = ArmPaths(self._config, self._repository.root)
        words = worker_arguments(self._config, paths.files(self._items), paths.config_file())
        budgets = {item.nodeid: read_bench_marker(item).budget_seconds for item in self._items}
        return Campaign(
            ids=tuple(item.nodeid for item in self._items),
            base=arms.places[BASE],
            head=arms.places[HEAD],
            same=arms.places[SAME],
            entry=ENTRY,
            args={
                "pytest": words,
                "packages": list(arms.layout.packages),
                "names": list(arms.layout.names),
                "repository": str(self._repository.root),
                "filters": list(self._config.getini("filterwarnings")),
            },
            thresholds={item.nodeid: self._limits(item)[0] for item in self._items},
            budget_seconds=self._options.budget_seconds,
            budgets={name: seconds for name, seconds in budgets.items() if seconds is not None},
            most_launches=self._options.launches,
            preload=() if PRELOADED_PACKAGES.intersection(arms.layout.packages) else PRELOADED,
            seed=secrets.randbelow(1 << 20) * 1_000,
            folder=arms.folder,
            separate_written=arms.separate_written,
        )

    def _limits(self, item: pytest.Item) -> tuple[dict[str, float], dict[str, float]]:
        from jarvisperf.gate.thresholds import DEFAULT_THRESHOLDS

        return read_thresholds(item, self._options.thresholds or DEFAULT_THRESHOLDS)

    def _reports(self, item: pytest.Item) -> list[pytest.TestReport]:
        outcome, longrepr, seconds = self._judged(item)
        keywords: Any = dict.fromkeys(item.keywords, 1)
        finding = self._findings.get(item.nodeid)
        properties = []
        for name, metric in finding.metrics.items() if finding else ():
            properties += [(f"jarvis_{name}_ratio", metric.ratio), (f"jarvis_{name}_verdict", metric.verdict)]

        def report(when: Any, result: Any, text: Any, duration: float) -> pytest.TestReport:
            return pytest.TestReport(
                item.nodeid, item.location, keywords, result, text, when, duration=duration, user_properties=properties
            )

        tally = self._outcome.tallies[item.nodeid] if self._outcome else None
        xfail = tally.xfail if tally else None
        if outcome == "skipped" and xfail is None:
            return [report("setup", "skipped", longrepr, 0.0), report("teardown", "passed", None, 0.0)]
        call = report("call", outcome, longrepr, seconds)
        if xfail is not None and outcome != "failed":  # a regression is one, whatever was expected of the call
            call.wasxfail = xfail
        return [report("setup", "passed", None, 0.0), call, report("teardown", "passed", None, 0.0)]

    def _judged(self, item: pytest.Item) -> tuple[str, Any, float]:
        from jarvisperf.report.lockstep_findings import figures, over_limit

        if self._outcome is None:
            return "failed", f"jarvisperf: {self._problem}", 0.0
        tally: Tally = self._outcome.tallies[item.nodeid]
        if tally.state == "skipped":
            return "skipped", (str(item.path), item.location[1] or 0, f"Skipped: {tally.message}"), tally.seconds
        if tally.state == "error":
            return "failed", _explained(tally), tally.seconds
        failing = []
        for name, metric in self._findings[item.nodeid].metrics.items():
            bad = metric.verdict == "regressed"
            bad |= metric.verdict == "inconclusive" and self._options.fails_inconclusive
            if bad or over_limit(metric, self._limits(item)[1].get(name, math.inf)):
                failing.append(figures(name, metric, self._limits(item)[1].get(name)))
        return ("failed", "\n".join(failing), tally.seconds) if failing else ("passed", None, tally.seconds)

    @property
    def problem(self) -> str | None:
        """Why nothing could be compared; None where it could."""
        return self._problem


def _explained(tally: Tally) -> str:
    """Say in the first line, which summaries show, what is wrong in which arm; then how it came to that."""
    if not tally.traceback or tally.traceback.startswith(tally.message):
        return tally.traceback or tally.message
    return f"{tally.message}\n\n{tally.traceback}"


def _told(progress: Progress) -> str:
    return (
        f"launch {progress.launch}: {progress.undecided} of {progress.total} undecided, "
        f"at most {duration(progress.seconds_left)} left  {progress.benchmark[-LONGEST_NAME:]}"
    )
