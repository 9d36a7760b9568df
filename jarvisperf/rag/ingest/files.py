"""Reads files and splits them into passages along their structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from jarvisperf.rag.errors import DocumentError
from jarvisperf.rag.ingest.readers.markdown import read_markdown
from jarvisperf.rag.ingest.readers.notebook import read_notebook
from jarvisperf.rag.ingest.readers.pdf import read_pdf
from jarvisperf.rag.ingest.readers.plain import read_plain
from jarvisperf.rag.ingest.readers.restructured import read_restructured
from jarvisperf.rag.ingest.readers.tables import read_table
from jarvisperf.rag.ingest.readers.web_page import read_web_page
from jarvisperf.rag.ingest.readers.word import read_word
from jarvisperf.rag.ingest.splitting import CHARACTERS, Limit, Passage, split

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jarvisperf.rag.ingest.blocks import Content

_READERS: Final[dict[str, Callable[[Path], Content]]] = {
    ".csv": read_table,
    ".docx": read_word,
    ".htm": read_web_page,
    ".html": read_web_page,
    ".ipynb": read_notebook,
    ".markdown": read_markdown,
    ".md": read_markdown,
    ".pdf": read_pdf,
    ".rst": read_restructured,
    ".text": read_plain,
    ".tsv": read_table,
    ".txt": read_plain,
}
SUFFIXES: Final = frozenset(_READERS)


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read.

    Attributes:
        passages: Its passages, in reading order.
        unread: What of it could not be read, in words, for example ``page 3 contains no text``.
    """

    passages: list[Passage]
    unread: tuple[str, ...]


def read_passages(path: Path, limit: Limit = CHARACTERS) -> list[Passage]:
    """Read a file and split it; see :func:`read_document`."""
    return read_document(path, limit).passages


def read_document(path: Path, limit: Limit = CHARACTERS) -> Document:
    """Read a file and split it.

    Args:
        path: A file with one of ``SUFFIXES``.
        limit: How long a passage may be.

    Raises:
        FileNotFoundError: There is no such file.
        DocumentError: The type is not supported, the file is damaged, its encoding is unknown, its name is not UTF-8,
            or it is not plain text and contains no text.
        MissingPackageError: The reader for this type is not installed.
    """
    try:
        str(path).encode()  # passages are stored with their source
    except UnicodeEncodeError as error:
        raise DocumentError(f"{str(path)!a} is not a name in UTF-8: rename the file or its folder") from error
    suffix = path.suffix.lower()
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file")
    if suffix not in SUFFIXES:
        raise DocumentError(
            f"{path} has the unsupported type {suffix or '(none)'}; choose from: {', '.join(sorted(SUFFIXES))}"
        )
    content = _READERS[suffix](path)
    passages = [
        Passage(passage.text, passage.section, passage.position, {**content.metadata, **passage.metadata})
        for passage in split(content.blocks, limit)
    ]
    return Document(passages, tuple(content.unread))
