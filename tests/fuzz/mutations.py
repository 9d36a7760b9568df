"""Hostile variants of good files: JSON with other values, shapes and depths, and bytes that were cut or changed."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

DEEP = 3_000
# What a terminal, a CI service, Markdown, HTML, a spreadsheet or a file system would act on; the reader's output is
# searched for these.
ACTING_TEXTS = (
    "\x1b]0;owned\x07\x1b[2K",
    "\u202edetrever",
    "\n::error::forged",
    "\r\n# A second headline",
    "##[error]forged",
    "<script>alert(1)</script>",
    "![](http://evil.example/x.png)",
    "http://evil.example/ www.evil.example @evil #1",
    "=HYPERLINK(1)",
    "../../../../../../evil",
    "\ud800",
    "$\\frac{$ `x` %s %d {0}",
    "\x00",
)
NUMBERS = (
    -1,
    0,
    1,
    2,
    -0.0,
    1e308,
    -1e308,
    1.7976931348623157e308,
    5e-324,
    1e-300,
    2**31,
    2**63,
    2**64,
    -(2**63),
    10**400,
)
CONSTANTS = (None, True, False, "", [], {}, [[]], [None], {"": None}, "a" * 5_000, float("nan"), float("inf"))


def mutated_json(data: Any, random: random.Random) -> Any:
    """Change one to four places of a JSON value; returns a new value."""
    whole = json.loads(json.dumps(data))
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        places = list(_places(whole))
        if not places:
            return whole
        parent, key = random.choice(places)
        _change(parent, key, random)
    return whole


def as_text(data: Any, random: random.Random) -> bytes:
    """Write JSON as bytes, sometimes with a place nested thousands deep."""
    text = json.dumps(data, ensure_ascii=random.random() < 0.5)
    if random.random() < 0.02:
        opening, closing = random.choice((("[", "]"), ('{"a":', "}")))
        at = text.find(":", random.randrange(len(text))) + 1
        text = f"{text[:at]}{opening * DEEP}1{closing * DEEP},{text[at:]}" if at else opening * DEEP
    return text.encode("utf-8", "surrogatepass")


def mutated_bytes(data: bytes, random: random.Random) -> bytes:
    """Cut, repeat, overwrite or insert bytes."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        at = random.randrange(len(changed) + 1)
        match random.randrange(5):
            case 0:
                del changed[at:]
            case 1:
                del changed[at : at + random.randrange(1, 40)]
            case 2:
                changed[at:at] = random.choice(ACTING_TEXTS).encode("utf-8", "surrogatepass")
            case 3:
                changed[at : at + 1] = bytes([random.randrange(256)])
            case _:
                changed[at:at] = changed[at : at + random.randrange(1, 200)] * random.choice((1, 2, 50))
    return bytes(changed)


def packed(data: bytes, random: random.Random) -> bytes:
    """Compress as a store does; sometimes the compressed bytes are damaged as well."""
    whole = gzip.compress(data, mtime=0)
    return mutated_bytes(whole, random) if random.random() < 0.1 else whole


def _places(value: Any) -> Any:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        yield value, key
        yield from _places(child)


def _change(parent: Any, key: Any, random: random.Random) -> None:
    old = parent[key]
    match random.randrange(9):
        case 0:
            del parent[key]
        case 1:
            parent[key] = random.choice(CONSTANTS)
        case 2 | 3:
            parent[key] = random.choice(NUMBERS)
        case 4:
            parent[key] = f"{old}{random.choice(ACTING_TEXTS)}" if isinstance(old, str) else random.choice(ACTING_TEXTS)
        case 5 if isinstance(old, list) and old:
            parent[key] = [*old, *random.choices(old, k=random.randrange(1, 4))]
        case 6 if isinstance(parent, dict):
            parent[random.choice(ACTING_TEXTS)] = old
        case 7 if isinstance(old, int | float):
            parent[key] = old * random.choice((-1, 0, 1e-9, 1e9, 1e300))
        case _:
            parent[key] = [old]
