"""Packs blocks into passages: by section, as long as the model reads, cut between sentences or lines if possible.

The time is linear in the length of the text: every piece is measured once, and sizes are added up.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from jarvisperf.rag.ingest.blocks import Block

# Where prose and lines are cut: each level only within pieces that are too long after the one before.
_PARAGRAPH: Final = re.compile(r"\n[ \t]*\n\s*")
_SENTENCE: Final = re.compile(
    # Western marks before a space, unless a small letter follows; those of Chinese and Japanese; Arabic, Urdu, Hindi.
    r"""[.!?\u2026]+["'\u201d\u2019\xbb)\]*_`]*\s+(?![a-z])"""
    r"""|[\u3002\uff01\uff1f\uff61]+[\u201d\u2019\u300d\u300f\uff09]*\s*|[\u061f\u06d4\u0964]+\s+""",
)
_LINE: Final = re.compile(r"\n+")
_WORD: Final = re.compile(r"\s+")
_LEVELS: Final = {"lines": (_LINE, _WORD)}
_PROSE_LEVELS: Final = (_PARAGRAPH, _SENTENCE, _LINE, _WORD)
_JOINT: Final = 2  # characters, or at most as many tokens, between two blocks
_LITTLE: Final = 0.2  # of the limit: a last passage below this is joined by the end of the one before
_MOST_CHARACTERS_PER_TOKEN: Final = 20  # longer pieces are cut without measuring them


@dataclass(frozen=True, slots=True)
class Limit:
    """How long a passage may be.

    Attributes:
        size: Its maximum, in the unit of ``measure``.
        measure: Returns the size of a text: its characters, or a model's tokens.
        overlap: How much of a passage's end the next one of its section repeats, at most.
    """

    size: int
    measure: Callable[[str], int]
    overlap: int = 0


CHARACTERS: Final = Limit(1000, len)  # of English, about MiniLM's 256 tokens


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a file.

    Attributes:
        text: Its text.
        section: The heading above it, or for example ``page 3`` in a PDF; None before the first heading and in plain
            text.
        position: Its index among the passages of the file, from 0.
        metadata: Where it begins in the file (``line``, ``page`` or ``cell``, from 1), the language of its code
            (``code_language``), and what the file says about itself.
    """

    text: str
    section: str | None
    position: int
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Piece:
    block: Block
    text: str
    size: int
    line: int  # of the text of its block, from 0


def split(blocks: Iterable[Block], limit: Limit) -> Iterator[Passage]:
    """Yield the passages of a file.

    A passage belongs to one section and begins with its heading if it is the first. Headings without a text of their
    own open the passage that follows, so that a bare heading is never a passage.
    """
    position = itertools.count()
    section: str | None = None
    for group in _sections(blocks):
        for heading in itertools.takewhile(lambda block: block.kind == "heading", group):
            section = heading.title
        for pieces in _packed(group, limit):
            metadata: dict[str, Any] = dict(pieces[0].block.place_of(pieces[0].line))
            languages = [piece.block.code_language for piece in pieces if piece.block.code_language]
            if languages:
                metadata["code_language"] = languages[0]
            yield Passage(_text_of(pieces, limit), section, next(position), metadata)


def _sections(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Yield headings with the blocks below them; headings at the end of the file join the section before."""
    group: list[Block] = []
    waiting: list[Block] | None = None
    for block in blocks:
        if not block.text.strip() and block.kind != "heading":
            continue
        if block.kind == "heading" and group and group[-1].kind != "heading":
            if waiting is not None:
                yield waiting
            waiting, group = group, []
        group.append(block)
    if waiting is not None and all(block.kind == "heading" for block in group):
        yield waiting + group
        return
    if waiting is not None:
        yield waiting
    if group:
        yield group


def _packed(group: Sequence[Block], limit: Limit) -> list[list[_Piece]]:
    """Return the pieces of each passage, in passages of about equal size."""
    above = sum(limit.measure(block.text) + _JOINT for block in group if block.kind == "heading")
    if above > limit.size / 2:  # no room for text next to them
        group = [replace(block, kind="prose") for block in group]
        above = 0
    pieces = list(_pieces(group, limit, limit.size - above))
    closing = itertools.takewhile(lambda piece: piece.block.kind == "heading", reversed(pieces))
    most = limit.size - sum(piece.size + _JOINT for piece in closing)
    total = sum(piece.size for piece in pieces) + sum(_framing(same[0].block, limit) for same in _by_block(pieces))
    target = total / math.ceil(total / most)
    chunks: list[list[_Piece]] = [[]]
    size = repeated = 0
    for piece in pieces:
        chunk = chunks[-1]
        is_new_block = not chunk or chunk[-1].block is not piece.block
        cost = piece.size + (_framing(piece.block, limit) if is_new_block else 0)
        has_text = len(chunk) > repeated and any(one.block.kind != "heading" for one in chunk)
        if has_text and piece.block.kind != "heading" and (size + cost > most or size >= target):
            chunk = _tail(chunk, min(limit.overlap, most - cost), limit)
            chunks.append(chunk)
            repeated, size = len(chunk), sum(one.size for one in chunk)
            if not chunk and not is_new_block:
                cost += _framing(piece.block, limit)
        chunk.append(piece)
        size += cost
    if len(chunks) > 1 and not limit.overlap:
        _lengthen_last(chunks, limit)
    return chunks


def _lengthen_last(chunks: Sequence[list[_Piece]], limit: Limit) -> None:
    """Move pieces into a last passage that would say very little, from the one before."""
    before, last = chunks[-2:]
    size = sum(piece.size + _framing(piece.block, limit) for piece in last)
    while size < limit.size * _LITTLE and len(before) > 1 and before[-2].block.kind != "heading":
        size += before[-1].size + _framing(before[-1].block, limit)
        if size > limit.size:
            break
        last.insert(0, before.pop())


def _tail(chunk: Sequence[_Piece], overlap: int, limit: Limit) -> list[_Piece]:
    """Return the last pieces that the next passage repeats: prose only."""
    tail: list[_Piece] = []
    for piece in reversed(chunk):
        overlap -= piece.size + _framing(piece.block, limit)
        if overlap < 0 or piece.block.kind in {"heading", "lines"}:
            break
        tail.insert(0, piece)
    return tail


def _pieces(group: Sequence[Block], limit: Limit, room: int) -> Iterator[_Piece]:
    """Yield pieces that fit into the room that the headings of their section leave."""
    for block in group:
        levels = _LEVELS.get(block.kind, _PROSE_LEVELS)
        space = limit.size if block.kind == "heading" else max(1, room - _framing(block, limit))
        line = 0
        for text, size in _fitting(block.text, space, limit.measure, levels):
            yield _Piece(block, text, size, line)
            line += text.count("\n")


def _framing(block: Block, limit: Limit) -> int:
    """Return the size of what surrounds a block in a passage."""
    if not _is_framed(block, limit):
        return _JOINT
    return _JOINT + limit.measure(block.prefix) + limit.measure(block.suffix)


def _is_framed(block: Block, limit: Limit) -> bool:
    """Whether there is room for a block's prefix in each passage: a table's header may be longer than a passage."""
    return bool(block.prefix) and limit.measure(block.prefix) <= limit.size / 2


def _fitting(
    text: str, room: int, measure: Callable[[str], int], levels: Sequence[re.Pattern[str]]
) -> Iterator[tuple[str, int]]:
    """Yield the parts of a text, each with the white space after it and its size."""
    if len(text) <= room * _MOST_CHARACTERS_PER_TOKEN and (size := measure(text)) <= room:
        yield text, size
    elif levels:
        start = 0
        for end in (*(found.end() for found in levels[0].finditer(text)), len(text)):
            if end > start:
                yield from _fitting(text[start:end], room, measure, levels[1:])
            start = end
    else:
        yield from _cut(text, room, measure)


def _cut(text: str, room: int, measure: Callable[[str], int]) -> Iterator[tuple[str, int]]:
    """Cut a text without spaces, but not before a combining mark."""
    start = 0
    while start < len(text):
        end = min(start + room, len(text))
        while (size := measure(text[start:end])) > room and end - start > 1:
            end = start + (end - start) // 2
        while start + 1 < end < len(text) and unicodedata.category(text[end])[0] == "M":
            end -= 1
        yield text[start:end], size
        start = end


def _text_of(pieces: Sequence[_Piece], limit: Limit) -> str:
    parts: list[str] = []
    before: Block | None = None
    for same in _by_block(pieces):
        block = same[0].block
        text = "".join(piece.text for piece in same).rstrip().lstrip("\n")
        if before is not None:
            parts.append("\n" if before.kind == block.kind == "item" else "\n\n")
        parts.append(f"{block.prefix}{text}{block.suffix}" if _is_framed(block, limit) else text)
        before = block
    return "".join(parts).strip()


def _by_block(pieces: Sequence[_Piece]) -> Iterator[list[_Piece]]:
    """Yield the pieces of each block; a block may be followed by an equal one."""
    return (list(same) for _, same in itertools.groupby(pieces, key=lambda piece: id(piece.block)))
