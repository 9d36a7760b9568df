"""A pytest plugin that describes all code a test executes, by other means than the library: tracing and bytecode.

Of each code object of the project that runs, on import or later, it writes a digest of the bytecode, the constants, the
names, the defaults, the contents of closures, and of the global values that it reads. Line numbers do not count, nor
do the bodies of functions inside it, which have digests of their own once they run.
"""

from __future__ import annotations

import gc
import hashlib
import inspect
import json
import os
import sys
import threading
import time
import types
from typing import TYPE_CHECKING, Any

from _pytest.runner import runtestprotocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType, FrameType

    import pytest

ROOT = os.path.realpath(os.environ["AFFECTED_LAB_ROOT"]) + os.sep
ANSWER = os.environ["AFFECTED_LAB_ANSWER"]
WANTED = frozenset(json.loads(os.environ["AFFECTED_LAB_IDS"]))
PLAIN = (str, bytes, int, float, complex, bool, type(None), type(...))
DEEPEST = 6
ENDING_SECONDS = 2.0

codes: dict[int, tuple[CodeType, dict[str, Any]]] = {}
answers: dict[str, dict[str, list[str]] | None] = {}


def see(frame: FrameType, event: str, _: object) -> None:
    """Keep each code object that is called, and the globals of its first call."""
    if event == "call" and id(frame.f_code) not in codes:
        codes[id(frame.f_code)] = (frame.f_code, frame.f_globals)


threading.settrace(see)
sys.settrace(see)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the wanted tests."""
    items[:] = [item for item in items if item.nodeid in WANTED]


def pytest_runtest_protocol(item: pytest.Item) -> bool:
    """Run a test in a fork, and read what it executed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            reports = runtestprotocol(item, log=False, nextitem=None)
            end_threads()
            sys.settrace(None)
            if all(report.passed for report in reports):
                with os.fdopen(writing, "w") as pipe:
                    json.dump(executed(), pipe)
                status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    answers[item.nodeid] = json.loads(text) if text else None
    return True


def pytest_sessionfinish() -> None:
    """Write what all tests executed."""
    with open(ANSWER, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(answers, file)


def end_threads() -> None:
    """Wait for the test's threads, so that what they execute and keep alive does not depend on how fast they are."""
    until = time.monotonic() + ENDING_SECONDS
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(max(0.0, until - time.monotonic()))


def executed() -> dict[str, list[str]]:
    """Return the digests of the project's code objects that ran, by file and qualified name."""
    found: dict[str, set[str]] = {}
    functions: dict[int, list[types.FunctionType]] = {}
    gc.collect()  # whether a function that nothing uses is still there is chance
    for one in gc.get_objects():  # once: looking up the referrers of each code object takes seconds
        if type(one) is types.FunctionType:
            functions.setdefault(id(one.__code__), []).append(one)
    for code, namespace in codes.values():
        file = os.path.realpath(code.co_filename)
        if file.startswith(ROOT) and not code.co_filename.startswith("<"):
            described = digest(code, namespace, functions.get(id(code), []))
            found.setdefault(f"{file[len(ROOT) :]}::{code.co_qualname}", set()).add(described)
    return {name: sorted(digests) for name, digests in sorted(found.items())}


def digest(code: CodeType, namespace: dict[str, Any], functions: list[types.FunctionType]) -> str:
    """Describe a code object and what it reads, in a few characters.

    Args:
        code: The code object.
        namespace: The globals of its first call.
        functions: The functions that have it.
    """
    parts = [
        code.co_code.hex(),
        code.co_exceptiontable.hex(),
        repr([plain(one) for one in code.co_consts]),
        repr((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags)),
        repr((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)),
        repr(sorted({repr((plain(one.__defaults__), plain(one.__kwdefaults__), closure(one))) for one in functions})),
        repr([(name, plain(namespace[name])) for name in code.co_names if name in namespace])
        if code.co_flags & inspect.CO_OPTIMIZED  # a function's: a module's code sets its names itself
        else "",
        repr(attributes(code, namespace)),
    ]
    text = "\n".join(parts).replace(ROOT.rstrip(os.sep), "")  # the only difference between equal checkouts
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def attributes(code: CodeType, namespace: dict[str, Any]) -> list[tuple[str, str, object]]:
    """Return the values of the project's modules that a code object may read as attributes."""
    modules = {name: one for name in code.co_names if isinstance(one := namespace.get(name), types.ModuleType)}
    return [
        (name, attribute, plain(vars(module)[attribute]))
        for name, module in sorted(modules.items())
        if str(getattr(module, "__file__", "")).startswith(ROOT)
        for attribute in code.co_names
        if attribute in vars(module)
    ]


def closure(function: types.FunctionType) -> list[object]:
    """Return the contents of a function's cells."""
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(plain(cell.cell_contents))
        except ValueError:  # it is empty
            found.append("empty")
    return found


def plain(value: object, depth: int = 0) -> object:
    """Return data as it is, and a name for anything else, whose code is compared if it runs."""
    if type(value) in PLAIN:
        return value
    if depth < DEEPEST and type(value) in CONTAINERS:
        return [type(value).__name__, *CONTAINERS[type(value)](value, depth + 1)]
    if isinstance(value, types.CodeType):
        return f"code {value.co_qualname}"
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        return f"{value.__module__}.{value.__qualname__}"
    return f"a {type(value).__module__}.{type(value).__qualname__}"


def _items(value: Any, depth: int) -> list[object]:
    return [plain(one, depth) for one in value]


def _sorted_items(value: Any, depth: int) -> Sequence[object]:
    return sorted(repr(plain(one, depth)) for one in value)


def _pairs(value: Any, depth: int) -> list[object]:
    return [(repr(plain(key)), plain(one, depth)) for key, one in value.items()]


CONTAINERS: dict[type, Callable[[Any, int], Sequence[object]]] = {
    tuple: _items,
    list: _items,
    set: _sorted_items,
    frozenset: _sorted_items,
    dict: _pairs,
}
