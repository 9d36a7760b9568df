"""Parses the command line of a Python interpreter: its options, and what it runs.

The arms run with the options of this process (`-O`, `-X dev`, `-W error`, …), because options change what code does.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

WITH_VALUE = "WX"
STARTS = "cm"  # what follows is what runs
# They exit, print, or wait for input; `-B` would make every launch compile the project again.
NOT_PASSED_ON = frozenset({"-B", "-h", "-?", "-i", "-q", "-v", "-V", "-x"})
NOT_PASSED_ON_X = ("importtime", "showrefcount", "help")


class Words(msgspec.Struct, frozen=True):
    """The arguments after the interpreter's name.

    Attributes:
        options: One option each: `-O`, `-Werror`, `-Xdev`; the value of a long option follows it.
        rest: `-c` or `-m` and what follows it, or a script and its arguments.
    """

    options: tuple[str, ...]
    rest: tuple[str, ...]

    @property
    def module(self) -> str | None:
        """The module that `-m` runs."""
        return self.rest[1] if len(self.rest) > 1 and self.rest[0] == "-m" else None

    @property
    def script(self) -> str | None:
        """The file that runs."""
        return self.rest[0] if self.rest and not self.rest[0].startswith("-") else None

    @property
    def ignores_environment(self) -> bool:
        """Whether the interpreter ignores environment variables, `PYTHONPATH` included."""
        return not {"-I", "-E"}.isdisjoint(self.options)


def read_words(words: Sequence[str]) -> Words:
    """Separate an interpreter's options from what it runs, as the interpreter itself does.

    Args:
        words: The arguments after the interpreter's name.
    """
    options: list[str] = []
    left = list(words)
    while left and left[0].startswith("-") and left[0] not in {"-", "--"}:
        word = left.pop(0)
        if word.startswith("--"):
            options.append(word)
            if word == "--check-hash-based-pycs" and left:
                options.append(left.pop(0))
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in STARTS:
                return Words(tuple(options), (f"-{letter}", *([letters] if letters else []), *left))
            if letter in WITH_VALUE:
                options.append(f"-{letter}{letters or (left.pop(0) if left else '')}")
                break
            options.append(f"-{letter}")
    return Words(tuple(options), tuple(left))


def options_to_pass_on() -> list[str]:
    """Return the options of this process that an arm's interpreter needs as well."""
    return [
        option
        for option in read_words(sys.orig_argv[1:]).options
        if option not in NOT_PASSED_ON and not option.startswith(tuple(f"-X{name}" for name in NOT_PASSED_ON_X))
    ]
