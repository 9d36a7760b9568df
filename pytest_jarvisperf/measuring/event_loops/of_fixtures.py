"""Finds the event loop of a plain test's async fixtures, because the connections they open work only in that loop.

pytest knows nothing about event loops, so each plugin needs a separate approach: pytest-asyncio keeps an
`asyncio.Runner` per scope, anyio one runner for all, and others have a fixture with the loop itself.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from pytest_jarvisperf.start.other_plugins import has_plugin

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Mapping

    from jarvisperf.measure.targets.waiters import Waiter

__tracebackhide__ = True  # leave these frames out of tracebacks: the error is in the user's test
DEFAULT_SCOPE_OPTION = "asyncio_default_fixture_loop_scope"
OWN_SCOPE = "fixture-scope"  # pytest-asyncio's value for a loop with the fixture's scope


class AmbiguousLoopError(RuntimeError):
    """A test's fixtures live in several event loops, and only the test's author knows which one to use."""


def loop_of_fixtures(request: pytest.FixtureRequest) -> Waiter | None:
    """Find the event loop that the async fixtures of a plain test live in.

    Args:
        request: The request of a fixture of that test.

    Returns:
        A waiter that awaits coroutines in that loop; None if the test has no such fixtures.

    Raises:
        AmbiguousLoopError: They live in several loops.
    """
    used: Mapping[str, Any] = getattr(request, "_fixture_defs", {})
    scopes: dict[str, str] = {}
    for name, definition in used.items():
        if has_plugin(request.config, "asyncio") and _is_of_pytest_asyncio(definition.func, request.config):
            scopes.setdefault(_loop_scope(definition, request.config), name)
    if len(scopes) > 1:
        described = ", ".join(f"{name} in the loop of the {scope}" for scope, name in sorted(scopes.items()))
        raise AmbiguousLoopError(
            f"{request.node.nodeid}: its fixtures live in different event loops ({described}): give them one "
            'loop_scope, or make the test async and say which with @pytest.mark.asyncio(loop_scope="...")'
        )
    for scope in scopes:
        return _of_pytest_asyncio(request, scope)
    if "anyio_backend" in used and any(_is_async(definition.func) for definition in used.values()):
        return _of_anyio(request.getfixturevalue("anyio_backend"))
    return _of_a_loop_fixture(request, used)


def _is_async(function: object) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _is_of_pytest_asyncio(function: object, config: pytest.Config) -> bool:
    if getattr(function, "_force_asyncio_fixture", False):
        return True
    mode = config.getoption("asyncio_mode", None) or config.getini("asyncio_mode")
    return _is_async(function) and mode == "auto"


def _loop_scope(definition: Any, config: pytest.Config) -> str:
    default = config.getini(DEFAULT_SCOPE_OPTION)
    own = getattr(definition.func, "_loop_scope", None)
    return str(own or (default if default != OWN_SCOPE else None) or definition.scope)


def _of_pytest_asyncio(request: pytest.FixtureRequest, scope: str) -> Waiter:
    from jarvisperf.measure.targets.waiters import LentLoop

    for name in (f"_{scope}_scoped_runner", f"_{scope}_event_loop", "event_loop"):  # before 1.1, before 1.0
        try:
            found = request.getfixturevalue(name)
        except pytest.FixtureLookupError:
            continue
        return LentLoop(found.run_until_complete if _is_loop(found) else functools.partial(_run, found), lambda: None)
    raise RuntimeError("the event loop of pytest-asyncio's fixtures was not found; versions 0.23 to 1.x are supported")


def _is_loop(value: object) -> bool:
    import asyncio  # here, because it takes longer to load than this plugin

    return isinstance(value, asyncio.AbstractEventLoop)


def _run(runner: asyncio.Runner, coroutine: Coroutine[Any, Any, Any]) -> Any:
    return runner.run(coroutine, context=contextvars.copy_context())


def _of_anyio(backend: Any) -> Waiter:
    from anyio import pytest_plugin

    from jarvisperf.measure.targets.waiters import LentLoop

    stack = ExitStack()
    runner = stack.enter_context(pytest_plugin.get_runner(*pytest_plugin.extract_backend_and_options(backend)))

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        async def awaited() -> Any:
            return await coroutine

        return runner.run_fixture(awaited, {})

    return LentLoop(run, stack.close)


def _of_a_loop_fixture(request: pytest.FixtureRequest, used: Mapping[str, Any]) -> Waiter | None:
    """Use the loop that a fixture provides, such as aiohttp's `loop` or a project's own `event_loop`."""
    from jarvisperf.measure.targets.waiters import LentLoop

    values = [request.getfixturevalue(name) for name in used if name.endswith("loop")]
    loops = [value for value in values if _is_loop(value) and not value.is_closed()]
    return LentLoop(loops[0].run_until_complete, lambda: None) if loops else None
