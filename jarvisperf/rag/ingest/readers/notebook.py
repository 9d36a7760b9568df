"""Reads Jupyter notebooks: their text and code, not their outputs (nbformat 4)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jarvisperf.rag.errors import DocumentError
from jarvisperf.rag.ingest.blocks import Block, Content, code
from jarvisperf.rag.ingest.encoding import decoded
from jarvisperf.rag.ingest.readers.markdown import blocks_of_markdown

if TYPE_CHECKING:
    from pathlib import Path


def read_notebook(path: Path) -> Content:
    """Read a notebook.

    Raises:
        DocumentError: It is not UTF-8, or not a notebook in format 4.
        MissingPackageError: markdown-it-py is not installed.
    """
    text = decoded(path, path.read_bytes())
    try:
        notebook = json.loads(text)
        cells = [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
        language = _language(notebook.get("metadata", {}))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DocumentError(f"{path} is not a notebook in format 4: {type(error).__name__}: {error}") from error
    blocks: list[Block] = []
    for number, (kind, source) in enumerate(cells, 1):
        place = {"cell": number}
        if kind == "markdown":
            blocks += blocks_of_markdown(source, place)
        elif source.strip():
            blocks.append(code(source, language, place) if kind == "code" else Block(source, place=place))
    return Content(blocks)


def _language(metadata: Any) -> str:
    return str(metadata.get("language_info", {}).get("name") or metadata.get("kernelspec", {}).get("language") or "")
