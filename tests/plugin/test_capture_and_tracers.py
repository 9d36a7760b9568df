"""Tests that log capture, tracers and profilers do not affect the figures."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from light_pytest import WITH_ASYNCIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

QUICKLY = ("--jarvis-bench", "--jarvis-budget=0.05")


def medians_of(pytester: pytest.Pytester) -> dict[str, float]:
    report = json.loads((pytester.path / "reports" / "report.json").read_text())
    return {
        entry["id"].partition("::")[2]: entry["metrics"]["time"]["head"]["median"] for entry in report["benchmarks"]
    }


def test_captured_logs_and_warnings_do_not_grow_with_the_samples(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import logging, warnings

        logger = logging.getLogger("work")

        def work():
            logger.warning("one line")
            return 3

        def test_logs(jarvis_bench, caplog):
            logger.addHandler(caplog.handler)  # as tests of loggers that do not propagate do
            logger.propagate = False
            assert jarvis_bench(work) == 3
            assert [record.message for record in caplog.records] == ["one line"]
            logger.warning("after")
            assert caplog.messages == ["one line", "after"]
            logger.removeHandler(caplog.handler)
            logger.propagate = True

        def test_rounds(jarvis_bench, caplog):
            jarvis_bench.pedantic(work, rounds=4, warmup_rounds=1)
            assert 4 <= len(caplog.records) <= 5

        def test_warnings(jarvis_bench, recwarn):
            jarvis_bench(warnings.warn, "a warning", UserWarning)
            assert len(recwarn) == 1
            warnings.warn("another", UserWarning)
            assert len(recwarn) == 2
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(passed=3, warnings=0)


def test_handlers_of_the_project_itself_stay(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import logging

        class Counting(logging.Handler):
            count = 0
            def emit(self, record):
                Counting.count += 1

        def test_logs(jarvis_bench):
            logging.getLogger().addHandler(Counting())
            jarvis_bench(logging.getLogger("work").warning, "one line")
            assert Counting.count > 10
        """
    )
    pytester.runpytest_subprocess(*QUICKLY).assert_outcomes(passed=1)


TRACED = """
import cProfile, sys

def traced(frame, event, arg):
    if frame.f_code is work.__code__:
        events.append(event)
    return traced

events = []

def work():
    return sum(i for i in range(100))

def test_tracer(jarvis_bench):
    sys.settrace(traced)
    sys.setprofile(traced)
    try:
        jarvis_bench(work)
        assert sys.gettrace() is traced
        assert sys.getprofile() is traced
    finally:
        sys.settrace(None)
        sys.setprofile(None)
    assert 3 <= len(events) < 10  # of the first call

def test_cprofile(jarvis_bench):
    profiler = cProfile.Profile()
    profiler.enable()
    jarvis_bench(work)
    sum([1])
    profiler.disable()
    calls = {where[2]: entry.callcount for entry in profiler.getstats() if not isinstance(entry.code, str)
             for where in [(0, 0, entry.code.co_name)]}
    assert calls.get("work", 0) <= 1
"""


def test_tracers_and_profilers_are_off_during_samples_and_on_again_afterwards(pytester: pytest.Pytester):
    pytester.makepyfile(TRACED)
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(passed=2)


def test_tracers_are_off_in_the_thread_of_an_event_loop_too(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import sys
        import pytest

        events = []

        def traced(frame, event, arg):
            if frame.f_code is work.__code__:
                events.append(event)
            return traced

        async def work():
            return sum(i for i in range(100))

        @pytest.mark.asyncio
        async def test_tracer(jarvis_bench):
            sys.settrace(traced)
            try:
                await jarvis_bench(work)
                assert sys.gettrace() is traced
            finally:
                sys.settrace(None)
            assert 3 <= len(events) < 10  # of the first call
        """
    )
    pytester.runpytest_subprocess(*QUICKLY, *WITH_ASYNCIO).assert_outcomes(passed=1)


def test_what_cannot_be_taken_off_is_pointed_out(pytester: pytest.Pytester, require: Callable[[str], Any]):
    require("memray")
    pytester.makepyfile(
        """
        import asyncio, tracemalloc
        import memray, pyinstrument, pytest

        def test_memray(jarvis_bench, tmp_path):
            with memray.Tracker(tmp_path / "allocations"):
                jarvis_bench(sum, [1])

        def test_memory(jarvis_bench, tmp_path):
            with memray.Tracker(tmp_path / "allocations"):
                jarvis_bench.memory(bytes, 1_000_000)

        def test_pyinstrument(jarvis_bench):
            with pyinstrument.Profiler():
                jarvis_bench(sum, [1])

        @pytest.mark.asyncio
        async def test_async(jarvis_bench):
            with pyinstrument.Profiler(async_mode="disabled"):
                await jarvis_bench(asyncio.sleep, 0)

        def test_tracemalloc(jarvis_bench):
            tracemalloc.start()
            jarvis_bench(sum, [1])
            tracemalloc.stop()

        def test_nothing(jarvis_bench):
            jarvis_bench(sum, [1])
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY, *WITH_ASYNCIO)
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["jarvisperf: *::test_pyinstrument, *::test_async: pyinstrument watches this process*"])
    for name in ("memray", "tracemalloc"):
        result.stdout.fnmatch_lines(
            [f"jarvisperf: *::test_{name}: {name} watches this process, so the figures include*"]
        )
    assert "test_nothing: " not in result.stdout.str()


if sys.version_info >= (3, 12):  # which introduced sys.monitoring

    def test_tools_of_sys_monitoring_are_silent_during_samples(pytester: pytest.Pytester):
        pytester.makepyfile(
            """
            import sys

            calls = []

            def work():
                return sum(i for i in range(100))

            def test_tool(jarvis_bench):
                events = sys.monitoring.events
                sys.monitoring.use_tool_id(3, "a tool")
                sys.monitoring.register_callback(3, events.PY_START, lambda code, offset: calls.append(code.co_name))
                sys.monitoring.set_events(3, events.PY_START)
                try:
                    jarvis_bench(work)
                    assert sys.monitoring.get_events(3) == events.PY_START
                finally:
                    sys.monitoring.free_tool_id(3)
                assert calls.count("work") == 1
            """
        )
        pytester.runpytest_subprocess(*QUICKLY).assert_outcomes(passed=1)


def test_coverage_sees_the_first_call_and_does_not_slow_the_samples(pytester: pytest.Pytester):
    body = "\n".join(f"    x = {number}" for number in range(200))
    pytester.makepyfile(work=f"def work():\n{body}\n    return x\n")
    pytester.makepyfile("import work\ndef test_work(jarvis_bench):\n    jarvis_bench(work.work)\n")
    pytester.runpytest_subprocess(*QUICKLY)
    plain = medians_of(pytester)["test_work"]
    result = pytester.runpytest_subprocess(*QUICKLY, "-p", "pytest_cov", "--cov=work", "--cov-report=term")
    result.stdout.fnmatch_lines(["work.py * 100%"])
    assert medians_of(pytester)["test_work"] < 5 * plain  # with line tracing, it would be 20 times or more
