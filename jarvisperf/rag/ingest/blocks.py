"""What readers make of a file: blocks, such as headings, paragraphs, tables and code, in reading order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Kind: TypeAlias = Literal["heading", "prose", "item", "lines"]


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a file that is split only if it is too long.

    Attributes:
        text: What a reader sees.
        kind: A ``heading``; ``prose``, which is split at the ends of sentences; an ``item`` of a list, the same; or
            ``lines``, which is split only between lines: the rows of a table, or code.
        prefix: What precedes each of its parts, such as a table's header or the opening of a fence.
        suffix: What follows each of its parts, such as the closing of a fence.
        title: The name of the section that it opens, if it is a heading; the heading of a page has no text.
        code_language: The programming language, if it is code and says so.
        place: Where it begins in the file: a ``line``, ``page`` or ``cell``, counted from 1.
        lines_before: How many lines after its place its text begins, such as one after a fence; None if the lines of
            its text are not those of the file.
    """

    text: str
    kind: Kind = "prose"
    prefix: str = ""
    suffix: str = ""
    title: str = ""
    code_language: str = ""
    place: Mapping[str, int] = field(default_factory=dict)
    lines_before: int | None = None

    def place_of(self, line: int) -> Mapping[str, int]:
        """Return where a line of its text is in the file, counted from 0."""
        if line == 0 or self.lines_before is None or "line" not in self.place:
            return self.place
        return {**self.place, "line": self.place["line"] + self.lines_before + line}


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a file.

    Attributes:
        blocks: What was read, in reading order.
        metadata: What the file says about itself, such as a title; belongs to all of its passages.
        unread: What could not be read, in words, for example ``page 3 contains no text``.
    """

    blocks: Sequence[Block]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    unread: Sequence[str] = ()


def code(text: str, language: str, place: Mapping[str, int], lines_before: int | None = None) -> Block:
    """Return a block of code between fences that the code does not contain."""
    fence = "```"
    while fence in text:
        fence += "`"
    return Block(
        text,
        "lines",
        prefix=f"{fence}{language}\n",
        suffix=f"\n{fence}",
        code_language=language,
        place=place,
        lines_before=lines_before,
    )


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    place: Mapping[str, int],
    lines_before: int | None = None,
) -> Block:
    """Return a table in Markdown's form; without a header if it is empty."""
    named = f"{_row(header)}\n{_row(['---'] * len(header))}\n" if any(header) else ""
    text, prefix = "\n".join(map(_row, rows)), named if rows else ""
    return Block(text, "lines", prefix=prefix, place=place, lines_before=lines_before)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(' '.join(cell.split()) for cell in cells)} |"
