"""Measures whole tests: those with the marker `benchmark` and no fixture, as in suites for pytest-codspeed."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from pytest_jarvisperf.markers.pytest_benchmark import asked_of, clock_of, plan_of
from pytest_jarvisperf.measuring.stash_keys import record_key
from pytest_jarvisperf.state import state_of

if TYPE_CHECKING:
    from collections.abc import Callable

__tracebackhide__ = True  # leave these frames out of tracebacks: the error is in the user's function


class WholeTests:
    """The plugin object that measures whole tests, in a process that measures."""

    def __init__(self) -> None:
        self._calls: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Measure a whole test; leave other tests to pytest."""
        record = pyfuncitem.stash.get(record_key, None)
        if record is None or not record.whole_test or pyfuncitem.nodeid in self._calls:
            return None
        from jarvisperf.measure.targets.call_targets import look_at

        state = state_of(pyfuncitem.config)
        handed = look_at(self._call(pyfuncitem), (), {})  # calls it once
        if not record.claimed:  # otherwise a fixture requested at run time has measured its target
            asked = asked_of(pyfuncitem)
            record.describe(record.group, {})
            target = handed.target()
            clock = clock_of(asked)
            if clock is not None:
                target.use_clock(clock)
            state.harness.time(record, target, plan_of(asked, state.options))
        return True

    def _call(self, item: pytest.Function) -> Callable[[], Any]:
        """Return a function that runs the body of a test once.

        A plugin with its own event loop for coroutines (anyio) runs them in this same hook, so the test is called
        through the hook, which costs about 20 µs. pytest-asyncio replaces the test with a plain function.
        """
        if not inspect.iscoroutinefunction(item.obj):
            args = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}  # noqa: SLF001  # as pytest does
            return functools.partial(item.obj, **args)

        def through_the_hook() -> None:
            self._calls.add(item.nodeid)
            try:
                item.ihook.pytest_pyfunc_call(pyfuncitem=item)
            finally:
                self._calls.discard(item.nodeid)

        return through_the_hook
