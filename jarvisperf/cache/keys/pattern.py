"""Key patterns: ``*`` any characters, ``?`` one, ``[abc]``, ``[a-z]``, ``[!a]`` one of a set; the rest is literal."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SPECIAL = re.compile(r"[*?\[]")


class KeyPattern:
    """A compiled pattern.

    Attributes:
        text: The pattern as given.
        head: The literal text that every matching key starts with.
        is_literal: Whether only one key can match, ``head`` itself.
        matches: Returns whether a key matches.
    """

    __slots__ = ("head", "is_literal", "matches", "text")

    def __init__(self, pattern: str) -> None:
        special = _SPECIAL.search(pattern)
        self.text = pattern
        self.head = pattern if special is None else pattern[: special.start()]
        self.is_literal = special is None
        matching = re.compile(fnmatch.translate(pattern)).match
        self.matches: Callable[[str], bool] = lambda key: matching(key) is not None


def matches_any(patterns: Sequence[KeyPattern]) -> Callable[[str], bool]:
    """Return a function that returns whether a key matches one of several patterns."""
    if len(patterns) == 1:
        return patterns[0].matches
    matching = re.compile("|".join(f"(?:{fnmatch.translate(pattern.text)})" for pattern in patterns)).match
    return lambda key: matching(key) is not None


def common_head(patterns: Sequence[KeyPattern]) -> str:
    """Return the literal text that every key starts with that matches one of several patterns."""
    heads = [pattern.head for pattern in patterns]
    first, last = min(heads), max(heads)  # what these two have in common, all between them have as well
    length = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:length]


def literal(text: str) -> str:
    """Return a pattern that matches exactly this text."""
    return _SPECIAL.sub(r"[\g<0>]", text)


def checked_pattern(pattern: object) -> KeyPattern:
    """Compile a pattern if it is valid.

    Raises:
        TypeError: It is not a str.
        ValueError: It is empty.
    """
    if not isinstance(pattern, str):
        raise TypeError(f"pattern is {pattern!r}: give a str, not {type(pattern).__name__}")
    if not pattern:
        raise ValueError("pattern is '': give a key, or a pattern such as 'embeddings:*'")
    return KeyPattern(pattern)


EVERY_KEY = KeyPattern("*")
