"""The hooks that JarvisPerf offers to other plugins and to `conftest.py`.

If JarvisPerf may be absent or disabled, mark implementations ``@pytest.hookimpl(optionalhook=True)``, because otherwise
pytest rejects unknown hooks. Returning None adds nothing. Wrappers of these hooks are not supported. A hook that
raises, or returns something other than documented here, is reported in one line that names the plugin and the hook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jarvisperf.measure.metrics import MetricKind
    from jarvisperf.report import ReportFormat
    from jarvisperf.report.findings.model import Findings
    from jarvisperf.runs.model import Run


@pytest.hookspec(firstresult=True)
def pytest_jarvis_benchmark_group(item: pytest.Item) -> str | None:
    """Name the group under which reports list a benchmark whose markers name no group.

    Called with ``--jarvis-bench`` for every benchmark whose markers name no group. The first answer that is not None
    counts; a test that sets ``jarvis_bench.group`` overrules it.

    Args:
        item: The benchmark test.

    Returns:
        The group's name; None leaves the choice to the next plugin.

    Example::

        def pytest_jarvis_benchmark_group(item):
            return item.path.stem.removeprefix("test_")
    """


@pytest.hookspec
def pytest_jarvis_machine_facts(config: pytest.Config) -> Mapping[str, Any]:  # type: ignore[empty-body]
    """Add facts about the machine to the run, for example the model of a GPU.

    Called once with ``--jarvis-bench``, before anything is measured. Reports show the facts next to JarvisPerf's own.
    **A difference counts as another machine**: `--jarvis-compare` then looks for runs with equal facts first. Return
    facts that affect how fast code runs and stay the same from run to run, not a temperature or the id of a CI job.

    Args:
        config: pytest's configuration.

    Returns:
        The facts by name: texts, numbers, booleans, None, and lists and dictionaries of those. No two plugins may use
        the same name.

    Example::

        import os

        def pytest_jarvis_machine_facts(config):
            return {"runner": os.environ.get("RUNNER_NAME", "local"), "numa_nodes": 1}
    """


@pytest.hookspec
def pytest_jarvis_report_formats(config: pytest.Config) -> Iterable[ReportFormat]:  # type: ignore[empty-body]
    r"""Add formats of the report.

    Called once with ``--jarvis-bench``, before anything is measured. A format renders the findings to the bytes of its
    files; JarvisPerf writes them. ``--jarvis-report-formats`` selects formats by name, and all are written by default.

    Args:
        config: pytest's configuration.

    Returns:
        The formats, see `jarvisperf.report.ReportFormat`. No two formats may have the same name or file.

    Example::

        from jarvisperf.report import ReportFormat

        def render(report):
            lines = [f"{one.id} {name} {metric.verdict}" for one in report.findings.benchmarks
                     for name, metric in one.metrics.items()]
            return {"verdicts.txt": "\n".join(lines).encode()}

        def pytest_jarvis_report_formats(config):
            return [ReportFormat(name="verdicts", files=("verdicts.txt",), render=render)]
    """


@pytest.hookspec
def pytest_jarvis_metrics(config: pytest.Config) -> Iterable[MetricKind]:  # type: ignore[empty-body]
    """Add metrics that tests can measure, compare and limit like the built-in ones.

    Called once in every pytest session, also without ``--jarvis-bench``. A metric adds a method to the fixture
    `jarvis_bench`, two keys to the marker `jarvis_threshold` and, if it is measured on calls, a name to those that
    ``--jarvis-metrics`` accepts. In lockstep, each arm calls the hook too.

    Args:
        config: pytest's configuration.

    Returns:
        The kinds of metrics, see `jarvisperf.measure.metrics`. No two metrics may have the same name.

    Example::

        import sys
        from jarvisperf.measure.metrics import MetricKind, OfSingleCalls, count_of

        def count_calls(target, methods):
            events = []
            sys.setprofile(lambda frame, event, arg: events.append(event))
            try:
                target.call()
            finally:
                sys.setprofile(None)
            return [events.count("call")]

        def pytest_jarvis_metrics(config):
            counting = OfSingleCalls(methods=lambda: ("sys.setprofile",), values=count_calls)
            return [MetricKind(name="python_calls", unit=count_of("calls"), axis_label="Python calls",
                               threshold=0.02, smallest=1, measurement=counting)]
    """


@pytest.hookspec
def pytest_jarvis_run_finished(config: pytest.Config, run: Run, findings: Findings) -> None:
    """Process a finished run, for example send its figures somewhere.

    Called with ``--jarvis-bench`` after the reports have been written and the run has been stored, whether the run was
    only recorded or compared with stored runs or with a revision; not called if no benchmark produced a result. If an
    implementation raises, the others are still called and pytest's exit status is 1.

    Args:
        config: pytest's configuration.
        run: The measurements; in lockstep, those of head.
        findings: The content of the reports: verdicts, ratios and figures of both sides.

    Example::

        def pytest_jarvis_run_finished(config, run, findings):
            slower = [one.id for one in findings.benchmarks if "regressed" in
                      {metric.verdict for metric in one.metrics.values()}]
            text = f"{len(run.benchmarks)} benchmarks, slower: {slower or 'none'}"
            (config.rootpath / "summary.txt").write_text(text)
    """
