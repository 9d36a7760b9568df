"""Moves the code of functions, the interpreter's cache entries of classes, and new objects to other places in memory.

Where code and data happen to lie can change a program's speed by several per cent (Mytkowicz et al., "Producing Wrong
Data Without Doing Anything Obviously Wrong!", ASPLOS 2009). Copies of a process inherit its places, so what comes from
them looks the same in every copy. Source of the remedy: Curtsinger and Berger, "STABILIZER: Statistically Sound
Performance Evaluation", ASPLOS 2013.
"""

from __future__ import annotations

import contextlib
import functools
from collections import deque
from itertools import islice
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator
    from typing import TypeGuard

SMALL_BYTES = range(16, 513, 16)  # CPython keeps separate pools of objects up to 512 bytes, one for each size
EMPTY_BYTES = 33  # of an empty `bytes` object
MOST_PER_POOL = 64
MOST_REACHED = 1_000  # functions and classes, those next to the start; to move them takes about 20 ms
MOST_VERSIONS = 8
MOST_GAP_BYTES = 4096  # a page: from there on, addresses are alike to the caches and the branch predictor

T = TypeVar("T")


def move_elsewhere(functions: Iterable[object], draw: random.Random) -> list[object]:
    """Copy the code of functions to other places, and occupy a random part of the free memory.

    Classes get new version tags: the interpreter finds methods in a small cache by tag and name, and two that share a
    place there made a copy of the same code 8 % slower. Only for a process that ends soon, because functions and
    classes change. Other objects that exist already stay where they are.

    Args:
        functions: What will be called; the Python functions and classes that it refers to by name are moved as well.
        draw: Where the places come from.

    Returns:
        What occupies the memory; keep it for as long as the places matter.
    """
    kept: list[object] = [
        bytes(max(0, size - EMPTY_BYTES)) for size in SMALL_BYTES for _ in range(draw.randrange(MOST_PER_POOL))
    ]
    kept += [[None] * draw.randrange(MOST_PER_POOL) for _ in range(draw.randrange(MOST_PER_POOL))]
    kept += [dict.fromkeys(range(draw.randrange(12))) for _ in range(draw.randrange(MOST_PER_POOL))]
    found = list(islice(_reached(functions), MOST_REACHED))
    draw.shuffle(found)
    for one in found:
        if isinstance(one, type):
            _renew_version(one, draw.randrange(MOST_VERSIONS))
        else:
            kept.append(bytes(draw.randrange(MOST_GAP_BYTES)))
            one.__code__ = _copied(one.__code__)
    return kept


def _renew_version(one: type, skipped: int) -> None:
    """Give a class another version tag, after skipping some: any assignment does, even of the same value."""
    for _ in range(skipped):
        hasattr(type("Skipped", (), {}), "_")  # a class gets its tag when something is looked up in it
    # A class may be immutable; a metaclass may be written in C and assign in its own way, or make `__doc__` read-only.
    with contextlib.suppress(TypeError, AttributeError):
        type.__setattr__(one, "__doc__", vars(one).get("__doc__"))  # `__module__` would delete `__firstlineno__`


def _copied(code: CodeType) -> CodeType:
    return code.replace(co_consts=tuple(_copied(one) if isinstance(one, CodeType) else one for one in code.co_consts))


def _reached(start: Iterable[object]) -> Iterator[FunctionType | type]:
    """Find the Python functions and classes that some objects lead to by name: each once, nearest first."""
    seen: set[int] = set()
    todo = deque(start)
    while todo:
        given = todo.popleft()
        if _is_a(given, MethodType):  # it may call other methods of its object
            todo.append(given.__self__ if _is_a(given.__self__, type) else type(given.__self__))
        elif _call_method(given) is not None:
            todo.append(type(given))
        one = _unwrapped(given)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if _is_a(one, FunctionType):
            yield one
            todo += _referred(one)
        elif _is_a(one, type):
            yield one
            todo += [value for value in vars(one).values() if _is_a(_unwrapped(value), FunctionType)]
            todo += (type(one), *one.__bases__)


def _is_a(one: object, kind: type[T]) -> TypeGuard[T]:
    """Return whether an object really is of a type.

    `isinstance` also asks a proxy for its `__class__`, and the proxy may load or create what it stands for.
    """
    return issubclass(type(one), kind)


def _unwrapped(one: Any) -> Any:
    """Return the function of a method, a property, a partial or a decorated function."""
    while True:
        if _is_a(one, functools.partial):
            one = one.func
        elif _is_a(one, MethodType) or _is_a(one, staticmethod) or _is_a(one, classmethod):
            one = one.__func__
        elif _is_a(one, property):
            one = one.fget
        elif _is_a(one, functools._lru_cache_wrapper):  # noqa: SLF001  # there is no public name
            one = one.__wrapped__
        elif (method := _call_method(one)) is not None:
            one = method
        else:
            return one


def _call_method(one: object) -> FunctionType | None:
    """Return the Python function that runs when an object is called; None if there is none, and for classes."""
    if _is_a(one, type):
        return None
    found = next((vars(each)["__call__"] for each in type(one).__mro__ if "__call__" in vars(each)), None)
    return found if isinstance(found, FunctionType) else None


def _referred(function: FunctionType) -> Iterator[object]:
    """Yield the objects that a function's code, and the code inside it, refers to by name."""
    todo = [function.__code__]
    while todo:
        code = todo.pop()
        todo += [one for one in code.co_consts if isinstance(one, CodeType)]
        named = [function.__globals__[name] for name in code.co_names if name in function.__globals__]
        yield from named
        modules = [object.__getattribute__(one, "__dict__") for one in named if _is_a(one, ModuleType)]
        yield from (module[name] for module in modules for name in code.co_names if name in module)
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a name that has no value yet
            continue
