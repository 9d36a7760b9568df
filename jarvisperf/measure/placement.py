"""Moves the code of functions, the interpreter's cache entries of classes, and new objects to other places in memory.

Where code and data happen to lie can change a program's speed by several per cent (Mytkowicz et al., "Producing Wrong
Data Without Doing Anything Obviously Wrong!", ASPLOS 2009). Copies of a process inherit its places, so what comes from
them looks the same in every copy. Source of the remedy: Curtsinger and Berger, "STABILIZER: Statistically Sound
Performance Evaluation", ASPLOS 2013.
"""

from __future__ import annotations

import functools
import inspect
from collections import deque
from itertools import islice
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator

SMALL_BYTES = range(16, 513, 16)  # CPython keeps separate pools of objects up to 512 bytes, one for each size
EMPTY_BYTES = 33  # of an empty `bytes` object
MOST_PER_POOL = 64
MOST_REACHED = 1_000  # functions and classes, those next to the start; to move them takes about 20 ms
MOST_VERSIONS = 8
HEAP_TYPE, IMMUTABLE_TYPE = 1 << 9, 1 << 8  # flags of classes, see object.h
MOST_GAP_BYTES = 4096  # a page: from there on, addresses are alike to the caches and the branch predictor


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
    module = vars(one).get("__module__")
    if isinstance(module, str) and one.__flags__ & HEAP_TYPE and not one.__flags__ & IMMUTABLE_TYPE:
        type.__setattr__(one, "__module__", module)


def _copied(code: CodeType) -> CodeType:
    return code.replace(co_consts=tuple(_copied(one) if isinstance(one, CodeType) else one for one in code.co_consts))


def _reached(start: Iterable[object]) -> Iterator[FunctionType | type]:
    """Find the Python functions and classes that some objects lead to by name: each once, nearest first."""
    seen: set[int] = set()
    todo = deque(start)
    while todo:
        given = todo.popleft()
        if inspect.ismethod(given) or _has_call(given):  # which may call other methods
            todo.append(type(given.__self__ if inspect.ismethod(given) else given))
        one = _unwrapped(given)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, FunctionType):
            yield one
            todo += _referred(one)
        elif isinstance(one, type):
            yield one
            todo += [value for value in vars(one).values() if isinstance(_unwrapped(value), FunctionType)]


def _unwrapped(one: Any) -> Any:
    """Return the function of a method, a partial or a decorated function."""
    while True:
        if isinstance(one, functools.partial):
            one = one.func
        elif inspect.ismethod(one) or isinstance(one, staticmethod | classmethod):
            one = one.__func__
        elif _has_call(one):
            one = vars(type(one))["__call__"]
        elif isinstance(one, functools._lru_cache_wrapper):  # noqa: SLF001  # there is no public name
            one = one.__wrapped__
        else:
            return one


def _has_call(one: object) -> bool:
    return isinstance(vars(type(one)).get("__call__"), FunctionType)


def _referred(function: FunctionType) -> Iterator[object]:
    """Yield the objects that a function's code, and the code inside it, refers to by name."""
    todo = [function.__code__]
    while todo:
        code = todo.pop()
        todo += [one for one in code.co_consts if isinstance(one, CodeType)]
        named = [function.__globals__[name] for name in code.co_names if name in function.__globals__]
        yield from named
        modules = [vars(one) for one in named if isinstance(one, ModuleType)]
        yield from (module[name] for module in modules for name in code.co_names if name in module)
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a name that has no value yet
            continue
