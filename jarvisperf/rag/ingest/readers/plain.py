"""Reads plain text: its paragraphs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from jarvisperf.rag.ingest.blocks import Block, Content
from jarvisperf.rag.ingest.encoding import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PARAGRAPH: Final = re.compile(r"(?:[^\n]*\S[^\n]*(?:\n|$))+")


def read_plain(path: Path) -> Content:
    """Read a text file.

    Raises:
        DocumentError: It is not UTF-8, and has no byte order mark.
    """
    return Content(list(_paragraphs(decoded(path, path.read_bytes()))))


def _paragraphs(text: str) -> Iterator[Block]:
    line = 1
    place = 0
    for found in _PARAGRAPH.finditer(text):
        line += text.count("\n", place, found.start())
        place = found.start()
        yield Block(found[0].rstrip(), place={"line": line}, lines_before=0)
