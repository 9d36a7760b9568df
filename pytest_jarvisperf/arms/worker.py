"""Inside an arm: a pytest session that runs single tests on demand and takes samples when the coordinator asks.

`jarvisperf/gate/processes/` defines the conversation (`protocol.py`) and how the process starts (`fork_server.py`).
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
import types
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from jarvisperf.gate.processes import descendants, protocol
from pytest_jarvisperf.arms.child_processes import ChildProcesses
from pytest_jarvisperf.arms.exit_handlers import end_process, forget_inherited_handlers
from pytest_jarvisperf.arms.foreign_modules import ForeignModules, move_editable_installations
from pytest_jarvisperf.arms.harness import Conversation, LockstepHarness
from pytest_jarvisperf.arms.process_starts import ProcessStarts
from pytest_jarvisperf.arms.selection import OwnSelection
from pytest_jarvisperf.arms.time_limits import TimeLimits
from pytest_jarvisperf.measuring.randomness.seeded_tests import SeededArm
from pytest_jarvisperf.measuring.record import as_text
from pytest_jarvisperf.measuring.stash_keys import harness_key, record_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__tracebackhide__ = True  # the error comes from the user's function


def main(arm: Mapping[str, Any], args: Mapping[str, Any]) -> NoReturn:
    """Run as a worker: collect, answer the coordinator until it sends `quit`, exit.

    Args:
        arm: The fork server's description of this arm.
        args: ``pytest``: pytest's arguments; ``packages``: dotted names of the project's packages, which must come from
            the arm's checkout; ``repository``: the working tree, from which nothing may come; ``filters``: the lines of
            pytest's ``filterwarnings``; ``ids``: the tests to measure, None: list all tests; ``budget``: measuring time
            per benchmark, in seconds; ``budgets``: exceptions from it, by id; ``argv``: the command line of the main
            pytest, for projects that inspect it; ``metrics``: the metrics to measure for tests that name none;
            ``one_seed``: whether all tests of a launch have the same seed; ``slowdowns``: for a proof, by how much to
            slow tests in the arm ``slowed_arm``, as shares by id.
    """
    sys.argv = list(args.get("argv", sys.argv))
    seeded = SeededArm(os.environ.get("PYTHONHASHSEED", ""), one_seed=args.get("one_seed", False))
    move_editable_installations(Path(args["repository"]).resolve(), Path(arm["roots"][0]).resolve())
    conversation = Conversation(socket.socket(fileno=arm["channel"]), socket.socket(fileno=arm["turns"]))
    starts = ProcessStarts(Path(arm["log"]).with_suffix(".starts"))
    roots = [Path(root).resolve() for root in arm["roots"]]
    foreign = ForeignModules(roots, args["packages"], Path(args["repository"]).resolve())
    plugin = WorkerPlugin(
        conversation,
        foreign,
        ChildProcesses(foreign, starts, Path(arm["log"]).with_suffix(".checked")),
        arm["core"],
        args.get("ids"),
        TimeLimits(args.get("budget", 0.0), args.get("budgets", {})),
        seeded,
        args.get("metrics"),
        args.get("slowdowns", {}) if args.get("slowed_arm") == arm["name"] else {},
        writes_bytecode=arm["writes_bytecode"],
    )
    # Equally long in both arms, and separate from pytest's numbered folders, of which only the last few are kept.
    temporary = Path(arm["log"]).with_suffix(".tmp")
    words = [*args["pytest"], *_known_filters(args.get("filters", []))]
    words += [f"--rootdir={arm['cwd']}", f"--basetemp={temporary}"]
    with starts.installed():
        end_process(int(pytest.main(words, plugins=[plugin])))


def _known_filters(filters: Sequence[str]) -> list[str]:
    """Drop filters for warnings that do not exist in this arm's code, because pytest would refuse to start."""
    known = [line for line in filters if _is_known(line)]
    return [] if len(known) == len(filters) else ["-o", "filterwarnings=" + "\n".join(known)]


def _is_known(line: str) -> bool:
    from _pytest.config import parse_warning_filter

    try:
        parse_warning_filter(line, escape=False)
    except pytest.UsageError:
        return False
    return True


class WorkerPlugin:
    """Replaces pytest's loop over the tests with the coordinator's orders."""

    def __init__(
        self,
        conversation: Conversation,
        foreign: ForeignModules,
        children: ChildProcesses,
        core: int | None,
        wanted: Sequence[str] | None,
        limits: TimeLimits,
        seeded: SeededArm,
        metrics: str | None,
        slowdowns: Mapping[str, float],
        *,
        writes_bytecode: bool,
    ) -> None:
        self._limits = limits
        self._seeded = seeded
        self._metrics = metrics
        self._selection = OwnSelection(wanted)
        self._conversation = conversation
        self._foreign = foreign
        self._children = children
        self._harness = LockstepHarness(conversation, seeded.randomness, self._children, slowdowns)
        self._writes_bytecode = writes_bytecode
        self._core = core
        self._problems: dict[str, str] = {}
        self._reports: list[pytest.TestReport] = []
        self._lacks = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the plugin use the worker's harness, and collect the tests that the coordinator wants."""
        config.stash[harness_key] = self._harness
        config.option.jarvis_bench = True  # for projects that inspect it: this process does measure
        config.option.jarvis_metrics = self._metrics
        config.pluginmanager.register(self._seeded, "jarvisperf-seeds")
        config.pluginmanager.register(self._selection, "jarvisperf-selection")
        config.pluginmanager.register(self._limits, "jarvisperf-time-limits")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record files that could not be collected."""
        if report.failed:
            text = str(report.longrepr).strip()
            last = text.splitlines()[-1].removeprefix("E ").strip() if text else "could not be collected"
            self._problems[report.nodeid] = as_text(last)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool:
        """Run single tests as ordered."""
        items = self._selection.benchmarks
        gc.collect()
        gc.freeze()  # objects created by collection live to the end, so the garbage collector can skip them
        descendants.adopt_orphans()  # orphans of the forked copies
        sys.dont_write_bytecode = (
            not self._writes_bytecode
        )  # bytecode written during collection is kept for the next launch
        if self._core is not None:
            # Pin both arms to one core, because two cores of a shared machine differ in speed from moment to moment.
            os.sched_setaffinity(0, {self._core})
        self._conversation.send(
            protocol.Collected(
                protocol.VERSION,
                self._selection.ids,
                self._problems,
                self._foreign.find(),
                forkable=threading.active_count() == 1,
                process=os.getpid(),
            )
        )
        is_copy = False
        while not isinstance(order := self._conversation.receive(), protocol.Quit):
            if isinstance(order, protocol.Fork):
                is_copy = self._go_on_in_a_copy()
            else:
                self._run(items[order.id], items.get(order.next or ""))
        if is_copy:
            # Its fixtures are torn down; only the original ends the session, which may remove shared files.
            end_process()
        return True

    def _go_on_in_a_copy(self) -> bool:
        """Fork: the copy takes over the conversation, and the original resumes it when the copy has ended.

        Returns:
            Whether this is the copy.
        """
        own, original = descendants.children(), os.getpid()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # about threads, here those of numerical libraries
            copy = os.fork()
        if copy == 0:
            descendants.end_with_parent(signal.SIGKILL, parent=original)
            forget_inherited_handlers()
            self._conversation.send(protocol.Forked(os.getpid()))
            return True
        _, status = os.waitpid(copy, 0)
        descendants.end_orphans(spared=own)
        if status != 0:
            os._exit(70)  # the coordinator sees that the worker has ended; the copy's output is in the log
        self._conversation.send(protocol.Ended(os.getpid()))
        return False

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Exit right after the teardown of fixtures; the rest of pytest's session end is not needed here."""
        error = sys.exc_info()[1]  # such as a usage error, which pytest prints only after this
        if error is not None:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201  # into the arm's log
        end_process()

    @pytest.hookimpl(trylast=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Log why a test ended the session, with `pytest.exit` or `KeyboardInterrupt`."""
        raised = excinfo.traceback[-1]
        sys.stderr.write(f"{raised.path}:{raised.lineno + 1}: {excinfo.exconly()}\n")

    def _run(self, item: pytest.Item, following: pytest.Item | None) -> None:
        self._reports = []
        self._lacks = False
        self._children.watch()
        # If the same test follows, what it shares with its neighbours stays, but not its own fixtures.
        upcoming: Any = item.parent if following is item else following
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=upcoming)
        if self._harness.is_serving:  # in a thread that would receive the coordinator's next message
            self._end_with(f"{item.nodeid} and its event loop ended while it was being measured")
        record = item.stash.get(record_key, None)  # None: the fixture was never requested at run time
        failed = next((report for report in self._reports if report.failed), None)
        skipped = next((report for report in self._reports if report.skipped), None)
        shown = failed or skipped
        self._conversation.send(
            protocol.Done(
                outcome="failed" if failed else "skipped" if skipped else "passed",
                message=as_text(_one_line(shown)) if shown else "",
                traceback=as_text(failed.longreprtext) if failed else "",
                xfail=next((as_text(report.wasxfail) for report in self._reports if hasattr(report, "wasxfail")), None),
                lacks=self._lacks,
                foreign=self._foreign.find(),
                group=record.group if record else None,
                extra_info=record.extra_info if record else {},
                notes=[as_text(note) for note in record.notes] if record else [],
                raised=record.raised if record else None,
            )
        )

    @staticmethod
    def _end_with(last_words: str) -> NoReturn:
        sys.stderr.write(f"{last_words}\n")
        sys.stderr.flush()
        os._exit(70)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """Separate the test's processes from those of its fixtures."""
        self._children.watch_call()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the reports of the running test."""
        self._reports.append(report)

    def pytest_exception_interact(self, call: pytest.CallInfo[None]) -> None:
        """Record whether a failure means that something does not exist in this arm."""
        error = call.excinfo.value if call.excinfo else None
        missing_name = isinstance(error, AttributeError) and isinstance(error.obj, types.ModuleType)
        self._lacks = self._lacks or isinstance(error, ImportError) or missing_name


def _one_line(report: pytest.TestReport) -> str:
    if report.skipped and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    message = str(crash.message if crash else report.longrepr).strip()
    return message.splitlines()[0] if message else report.outcome
