"""Breaks lines between words, never between a number and its unit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jarvisperf.report.shared.names import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

INDENT = "  "
LONGEST_LABEL = "SKIPPED "  # a test id stays on the line of the word that introduces it
_GLUED = re.compile(
    r"(?<=[\d%]) (?=[^\W\d])"  # "3.78 µs", "41% slower", "3 benchmarks"
    r"|(?<=[\d%x] to) (?=[-+<]?\d)"  # "38 to 43%": the unit stands with the second number only
    r"|(?<=[│|●━o=]) (?=(?:threshold|change|95%))"  # a mark and its meaning
)
_GLUE = "\ue000"  # a character for private use, which no text of ours contains


def wrapped(text: str, columns: int, indent: str = INDENT) -> list[str]:
    """Break a text into lines.

    Args:
        text: One line.
        columns: The width of the terminal. A word that is wider stays whole, on a line of its own.
        indent: Begins every line but the first.
    """
    from rich.cells import cell_len

    lines: list[str] = []
    line = ""
    for word in _GLUED.sub(_GLUE, text).split(" "):
        longer = f"{line} {word}" if line.strip() else line + word
        if line.strip() and cell_len(longer) > columns:
            lines.append(line)
            line = indent + word
        else:
            line = longer
    return [one.replace(_GLUE, " ").rstrip() for one in [*lines, line]]


def with_short_words(lines: Sequence[str], columns: int, ellipsis: str = "…") -> list[str]:
    """Shorten words that do not fit on a line, such as long test ids, so that they still tell each other apart.

    Args:
        lines: The lines, not yet broken.
        columns: The width of the terminal.
        ellipsis: Stands for what was left out.
    """
    from rich.cells import cell_len

    widest = columns - len(LONGEST_LABEL)
    wide = list(dict.fromkeys(word for line in lines for word in line.split(" ") if cell_len(word) > widest))
    short = dict(zip(wide, shortened(wide, widest, ellipsis), strict=True))
    return [" ".join(short.get(word, word) for word in line.split(" ")) for line in lines]
