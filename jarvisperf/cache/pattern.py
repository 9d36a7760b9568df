"""Patterns of keys: ``*`` any characters, ``?`` one, ``[abc]``, ``[a-z]``, ``[!a]`` one of a set; all else literal."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SPECIAL = re.compile(r"[*?\[]")


class KeyPattern:
    """A pattern, ready to be matched.

    Attributes:
        head: The literal text that every matching key starts with.
        is_literal: Only one key can match, ``head`` itself.
        matches: Whether a key matches.
    """

    __slots__ = ("head", "is_literal", "matches")

    def __init__(self, pattern: str) -> None:
        special = _SPECIAL.search(pattern)
        self.head = pattern if special is None else pattern[: special.start()]
        self.is_literal = special is None
        matching = re.compile(fnmatch.translate(pattern)).match
        self.matches: Callable[[str], bool] = lambda key: matching(key) is not None


EVERY_KEY = KeyPattern("*")
