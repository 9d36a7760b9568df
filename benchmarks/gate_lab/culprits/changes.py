"""Kinds of change that make a program slower: the files of base and head, and the functions that are to blame.

The program is `work.py`, which calls four ordinary steps (`steps.py`) and one that the change makes slower. In every
head, two of the ordinary steps are edited in a way that costs nothing, so that other functions are suspected too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

DEPENDENCY = "site-packages"  # the second folder of an arm, as with --jarvis-arm-install

WORK = """
import steps
import guilty


def prepare():
    return getattr(guilty, "prepare", dict)()


def work(prepared):
    return steps.split() + steps.count() + steps.order() + steps.render() + guilty.step(prepared)
"""
STEPS = """
import json

TEXT = "the quick brown fox jumps over the lazy dog " * 30
ROWS = [{"id": number, "name": str(number)} for number in range(60)]


def split():
    words = [word for word in TEXT.split() if len(word) > 3]
    return len(words)


def count():
    found = {}
    for letter in TEXT[:600]:
        found[letter] = found.get(letter, 0) + 1
    return len(found)


def order():
    return sorted((number * 7919) % 997 for number in range(500))[0]


def render():
    return len(json.dumps(ROWS))
"""
EDITED_STEPS = STEPS.replace("len(word) > 3", "3 < len(word)").replace(
    "found.get(letter, 0) + 1", "1 + found.get(letter, 0)"
)

LOOP = """
def step(prepared):
    total = 0
    for number in range(800):
        total += number * number
    return total
"""


class Change(msgspec.Struct, frozen=True):
    """A kind of change.

    Attributes:
        guilty: The functions that may be named first.
        base: The text of `guilty.py` in base.
        head: The text of `guilty.py` in head; ``{n}`` stands for the size of the change.
        n: A size with which the change is large.
        base_files: Further files of base.
        head_files: Further files of head, likewise with ``{n}``.
    """

    guilty: tuple[str, ...]
    base: str
    head: str
    n: int
    base_files: dict[str, str] = {}
    head_files: dict[str, str] = {}


def _simple(guilty: str, base: str, old: str, new: str, n: int, files: dict[str, str] | None = None) -> Change:
    """Describe a change of one place in a file."""
    if base.count(old) != 1:
        raise ValueError(f"{old!r} must occur in the file exactly once")
    return Change((guilty,), base, base.replace(old, new), n, files or {}, files or {})


CACHED = """
from functools import lru_cache


@lru_cache
def parse(number):
    return sum(range({size}))


def step(prepared):
    return sum(parse(number) for number in range(100))
"""
CHECKED = """
def checked(function):
    def wrapper(*args):
        for _ in range({n}):
            if not args:
                raise ValueError(args)
        return function(*args)

    return wrapper
"""
SCAN = """
from tools import checked


def scan(rounds):
    return sum(number * number for number in range(rounds))


def step(prepared):
    return scan(700)
"""
STORE = """
class Store:
    def __init__(self):
        self.items = set(range({n}))

    def has(self, item):
        return item in self.items


def prepare():
    return Store()


def step(store):
    return sum(store.has(number + {n} - 100) for number in range(100))
"""
SHAPE = """
from functools import cached_property


class Shape:
    @cached_property
    def area(self):
        return sum(range({n}))


SHAPE = Shape()


def step(prepared):
    return sum(SHAPE.area for _ in range(100))
"""

CHANGES: dict[str, Change] = {
    "slower body": _simple(
        "step", LOOP, "    return total", "    for _ in range({n}):\n        total += 1\n    return total", 800
    ),
    "new helper": Change(
        ("_check", "step"),
        LOOP,
        LOOP.replace("    return total", "    _check()\n    return total")
        + "\n\ndef _check():\n    for _ in range({n}):\n        pass\n",
        1600,
    ),
    "call in a loop": _simple(
        "step",
        LOOP.replace("    total = 0", "    total = price()") + "\n\ndef price():\n    return sum(range(10))\n",
        "    total = price()",
        "    total = 0\n    for _ in range({n}):\n        total += price()",
        200,
    ),
    "lost cache": Change(
        ("parse",),
        CACHED.format(size="{n}"),
        CACHED.format(size="{n}").replace("@lru_cache\n", ""),
        20,
    ),
    "extra copy": _simple(
        "step",
        "DATA = list(range({n}))\n" + LOOP,
        "    total = 0",
        "    total = len(list(DATA)) - len(DATA)",
        10_000,
    ),
    "changed constant": _simple(
        "step",
        "ROUNDS = 800\n" + LOOP.replace("range(800)", "range(ROUNDS)"),
        "ROUNDS = 800",
        "ROUNDS = 800 + {n}",
        800,
    ),
    "changed default": _simple(
        "scan",
        "def scan(rounds=800):\n    return sum(number * number for number in range(rounds))\n\n\n"
        "def step(prepared):\n    return scan()\n",
        "rounds=800",
        "rounds=800 + {n}",
        800,
    ),
    "decorator": _simple("scan", SCAN, "def scan", "@checked\ndef scan", 1500, {"tools.py": CHECKED}),
    "import inside": _simple(
        "step", LOOP, "    total = 0", "    total = 0\n    for _ in range({n}):\n        import decimal", 200
    ),
    "exception path": _simple(
        "step",
        LOOP.replace("    total = 0", "    total, known = 0, {{}}"),
        "    return total",
        "    for number in range({n}):\n        try:\n            known[number]\n        except KeyError:\n"
        "            total += 1\n    return total",
        200,
    ),
    "data structure": _simple(
        "step",
        "KNOWN = set(range({n}))\n\n\n"
        "def step(prepared):\n    return sum(number + {n} - 100 in KNOWN for number in range(100))\n",
        "set(range",
        "list(range",
        300,
    ),
    "prepared data": _simple("Store.__init__", STORE, "set(range", "list(range", 300),
    "dependency": Change(
        ("normalize",),
        "import dep\n\n\ndef step(prepared):\n    return dep.normalize(400)\n",
        "import dep\n\n\ndef step(prepared):\n    return dep.normalize(400)\n",
        800,
        {f"{DEPENDENCY}/dep.py": "def normalize(n):\n    return sum(x * x for x in range(n))\n"},
        {f"{DEPENDENCY}/dep.py": "def normalize(n):\n    return sum(x * x for x in range(n + {n}))\n"},
    ),
    "generator": _simple(
        "rows",
        "def rows():\n    for number in range(600):\n        yield number\n\n\n"
        "def step(prepared):\n    return sum(rows())\n",
        "        yield number\n",
        "        yield number\n    for number in range({n}):\n        yield 0\n",
        600,
    ),
    "C call": _simple(
        "step",
        "DATA = [(number * 7919) % 997 for number in range({n})]\n" + LOOP,
        "    return total",
        "    return total + sorted(DATA)[0]",
        800,
    ),
    "class attribute": _simple(
        "Buffer.fill",
        "class Buffer:\n    SIZE = 600\n\n"
        "    def fill(self):\n        return sum(number * number for number in range(self.SIZE))\n"
        "\n\ndef step(prepared):\n    return Buffer().fill()\n",
        "SIZE = 600",
        "SIZE = 600 + {n}",
        600,
    ),
    "lost cached property": Change(
        ("Shape.area",),
        SHAPE,
        SHAPE.replace("@cached_property", "@property"),
        20,
    ),
    "another import": _simple(
        "step",
        "from tools import fast as scale\n\n\ndef step(prepared):\n    return scale(500)\n",
        "fast as scale",
        "slow as scale",
        500,
        {
            "tools.py": "def fast(n):\n    return sum(range(n))\n\n\n"
            "def slow(n):\n    total = 0\n"
            "    for number in range(n + {n}):\n        total += number\n    return total\n"
        },
    ),
}


def write_arms(change: Change, base: Path, head: Path, n: int) -> None:
    """Write both versions of the program.

    Args:
        change: The kind of change.
        base: An empty folder.
        head: An empty folder.
        n: The size of the change.
    """
    for folder, guilty, steps, files in (
        (base, change.base, STEPS, change.base_files),
        (head, change.head, EDITED_STEPS, change.head_files),
    ):
        texts = {"work.py": WORK, "steps.py": steps, "guilty.py": _sized(guilty, n)}
        texts |= {name: _sized(text, n) for name, text in files.items()}
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _sized(text: str, n: int) -> str:
    return text.replace("{{}}", "{}").replace("{n}", str(n))
