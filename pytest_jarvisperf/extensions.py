"""Calls the hooks of other plugins, and checks what they return.

Each implementation is called on its own, so that an error can name the plugin it comes from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest

from jarvisperf.error_text import type_and_first_line
from jarvisperf.measure.metrics import BUILT_IN, MetricKind
from pytest_jarvisperf.usage_errors import usage_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jarvisperf.measure.metrics import Metrics
    from jarvisperf.report import ReportFormat
    from jarvisperf.report.findings.model import Findings
    from jarvisperf.runs.machine import Machine
    from jarvisperf.runs.model import Run

_facts_key = pytest.StashKey[dict[str, Any]]()


def benchmark_group(item: pytest.Item) -> str | None:
    """Ask the plugins for the group of a benchmark.

    Raises:
        pytest.UsageError: An implementation raised, or returned something other than a non-empty text or None.
    """
    for hook, group in _answers(item.ihook.pytest_jarvis_benchmark_group, item=item):
        if not isinstance(group, str) or not group:
            raise usage_error(f"{hook} returned {group!r} for {item.nodeid}; return a name or None")
        return group
    return None


def read_facts(config: pytest.Config) -> None:
    """Ask the plugins for facts about the machine, and keep them for `this_machine`.

    Raises:
        pytest.UsageError: An implementation raised, or its answer is not a dictionary that JSON can hold; or two
            plugins use the same name.
    """
    facts: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for hook, answer in _answers(config.hook.pytest_jarvis_machine_facts, config=config):
        if not isinstance(answer, dict) or not all(isinstance(name, str) for name in answer):
            raise usage_error(f"{hook} returned {answer!r}; return a dictionary with the facts by name")
        try:
            copy = json.loads(json.dumps(answer, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            raise usage_error(f"{hook} returned facts that JSON cannot hold: {error}") from None
        for name in copy:
            if name in owners:
                raise usage_error(f"{hook} returned {name!r}, as {owners[name]} has done; rename one of them")
            owners[name] = hook
        facts |= copy
    config.stash[_facts_key] = facts


def this_machine(config: pytest.Config) -> Machine:
    """Describe this machine, with the facts that plugins have added."""
    from jarvisperf.runs.machine import read_machine

    return read_machine(config.stash.get(_facts_key, {}))


def further_formats(config: pytest.Config) -> list[ReportFormat]:
    """Ask the plugins for formats of the report.

    Raises:
        pytest.UsageError: An implementation raised, or returned something other than a list of formats.
    """
    from jarvisperf.report import ReportFormat

    formats: list[ReportFormat] = []
    for hook, answer in _answers(config.hook.pytest_jarvis_report_formats, config=config):
        if not isinstance(answer, list | tuple) or not all(isinstance(one, ReportFormat) for one in answer):
            raise usage_error(f"{hook} returned {answer!r}; return a list of ReportFormat")
        formats += answer
    return formats


def session_metrics(config: pytest.Config) -> Metrics:
    """Return the metrics of this session: the built-in ones and those of other plugins.

    Raises:
        pytest.UsageError: An implementation raised, or returned something other than kinds of metrics; or two metrics
            have the same name.
    """
    metrics = BUILT_IN
    for hook, answer in _answers(config.hook.pytest_jarvis_metrics, config=config):
        kinds = list(answer) if isinstance(answer, Iterable) else [answer]
        for kind in kinds:
            if not isinstance(kind, MetricKind):
                raise usage_error(f"{hook} returned {kind!r}; return a list of MetricKind")
        try:
            metrics = metrics.with_kinds(kinds)
        except ValueError as error:
            raise usage_error(f"{hook}: {error}") from None
    return metrics


def announce_finished_run(config: pytest.Config, run: Run, findings: Findings) -> list[str]:
    """Tell the plugins that a run has finished.

    Returns:
        What went wrong, one line for each implementation that raised.
    """
    problems = []
    for impl in _implementations(config.hook.pytest_jarvis_run_finished):
        try:
            _call(impl, {"config": config, "run": run, "findings": findings})
        except pytest.UsageError as error:
            problems.append(str(error))
    return problems


def _answers(caller: Any, **arguments: object) -> Iterator[tuple[str, Any]]:
    """Call each implementation; yield its name for messages and its answer, unless that is None."""
    for impl in _implementations(caller):
        answer = _call(impl, arguments)
        if answer is not None:
            yield _name(impl), answer


def _implementations(caller: Any) -> Iterator[Any]:
    yield from reversed(caller.get_hookimpls())  # pluggy calls those registered last first


def _call(impl: Any, arguments: dict[str, object]) -> Any:
    if impl.wrapper or impl.hookwrapper:
        raise usage_error(f"{_name(impl)} is a wrapper, which is not supported for this hook")
    try:
        return impl.function(*(arguments[name] for name in impl.argnames))
    except Exception as error:  # whatever another plugin raises is reported as its error
        raise usage_error(f"{_name(impl)} raised {type_and_first_line(error)}") from error


def _name(impl: Any) -> str:
    return f"plugin {impl.plugin_name}: {impl.function.__name__}"
