"""Reads reStructuredText, by docutils; what only Sphinx knows is read as text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.rag.errors import DocumentError, missing_package
from jarvisperf.rag.ingest.blocks import Block, Content, code, table
from jarvisperf.rag.ingest.encoding import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docutils import nodes

_DECLARED: Final = re.compile(rb"coding[:=][ \t]*([-\w.]+)")
_UNKNOWN: Final = re.compile(r"\.\. +(?P<name>[\w:+.-]+?)::(?P<rest>.*(?:\n(?:[ \t].*)?)*)")
# What docutils does not read, and only shows in its message.
_MISPLACED: Final = (
    "Malformed table",
    "Unexpected section title",
    "Title level inconsistent",
    "Inconsistent title style",
)
_RULE: Final = re.compile(r"\W*$")
_WITHOUT_TEXT: Final = frozenset(
    {"toctree", "index", "currentmodule", "highlight", "tabularcolumns", "program", "include", "literalinclude"}
)
_LANGUAGE_FIRST: Final = frozenset(
    {"code", "code-block", "sourcecode", "prompt"}
)  # with options that only Sphinx knows
_CODE: Final = frozenset({"testcode", "doctest", "testsetup", "testoutput", "productionlist", "ipython"})
_VERSIONS: Final = {  # as Sphinx writes them
    "versionadded": "Added in version",
    "versionchanged": "Changed in version",
    "versionremoved": "Removed in version",
    "deprecated": "Deprecated since version",
}
_CONDITIONS: Final = frozenset({"only", "ifconfig"})
_ROLE: Final = re.compile(r"!?~?(?P<title>.*?)\s*(?:<[^<>]*>)?$", re.DOTALL)
_SETTINGS: Final = {
    "file_insertion_enabled": False,  # a document must not read other files
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 5,
    "line_length_limit": 1_000_000_000,  # docutils reads nothing of a document with a longer line
    "doctitle_xform": False,
    "docinfo_xform": False,
    "smart_quotes": False,
    "_disable_config": True,
    "warning_stream": "",
}


def read_restructured(path: Path) -> Content:
    """Read a reStructuredText file.

    Raises:
        MissingPackageError: docutils is not installed.
        DocumentError: It is not UTF-8, declares no other encoding and has no byte order mark, or docutils fails.
    """
    raw = path.read_bytes()
    declared = _DECLARED.search(b"\n".join(raw.split(b"\n", 2)[:2]))
    text = decoded(path, raw, [declared[1].decode() if declared else None])
    try:
        return Content(list(_Reader().blocks(_parsed(text), 0, 0)))
    except RecursionError as error:
        raise DocumentError(f"{path} is nested too deeply for docutils: split it") from error


def _parsed(text: str) -> nodes.document:
    try:
        from docutils import nodes
        from docutils.core import publish_doctree
        from docutils.parsers.rst import Parser, roles, states
    except ImportError as error:
        raise missing_package("docutils") from error
    inliner = states.Inliner()
    known_roles = inliner.interpreted

    def interpreted(rawsource: str, text: str, role: str, lineno: int) -> Any:
        """Read a role that docutils does not know, or not in this form, as its text."""
        known, _ = roles.role(role, inliner.language, lineno, inliner.reporter)
        if known is not None:
            read: Any = known_roles(rawsource, text, role, lineno)
            if not any(isinstance(node, nodes.problematic) for node in read[0]):
                return read
        title = _ROLE.match(text)
        return [nodes.literal(rawsource, title["title"] if title else text)], []

    inliner.interpreted = interpreted  # docutils copies attributes of the class itself
    return publish_doctree(text, parser=Parser(inliner=inliner), settings_overrides=_SETTINGS)


class _Reader:
    """Turns the tree of docutils into blocks."""

    def __init__(self) -> None:
        self._line = 1

    def blocks(self, node: nodes.Node, level: int, indent: int) -> Iterator[Block]:
        from docutils import nodes

        for child in node.children:
            if not isinstance(child, nodes.section):  # docutils counts a section's line from its underline
                self._line = max(self._line, getattr(child, "line", None) or 0)
            if isinstance(child, _skipped()):
                continue
            if isinstance(child, nodes.section):
                yield from self.blocks(child, level + 1, 0)
            elif isinstance(child, nodes.system_message):
                yield from self._unknown(child, level)
            else:
                yield from self._of(child, node, level, indent)

    def _of(self, child: nodes.Node, parent: nodes.Node, level: int, indent: int) -> Iterator[Block]:
        """Yield what is in an element that is neither a section nor a message."""
        from docutils import nodes

        place = {"line": self._line}
        lines_before = 0 if getattr(child, "line", None) == self._line else None
        text = "\n\n".join(part.astext() for part in child.children) if _is_plain(child) else child.astext()
        if isinstance(child, nodes.title) and isinstance(parent, nodes.section):
            title = " ".join(text.split())
            yield Block(f"{'#' * min(level, 6)} {title}", "heading", title=title, place=place)
        elif isinstance(child, nodes.literal_block | nodes.doctest_block):
            classes: list[str] = child.get("classes", [])
            is_directive = classes[:1] == ["code"]  # docutils counts its line from its end
            language = classes[1] if is_directive and classes[1:] else ""
            yield code(text, language, place, None if is_directive else lines_before)
        elif isinstance(child, nodes.table):
            yield from _table(child, place)
        elif _is_plain(child):
            yield Block(f"{'  ' * indent}- {text}", "item", place=place)
        elif isinstance(child, nodes.image):
            yield Block(child.get("alt", ""), place=place)
        elif isinstance(child, nodes.TextElement):
            yield Block(text.strip(), place=place, lines_before=lines_before)
        else:
            yield from self.blocks(child, level, indent + isinstance(child, nodes.list_item))

    def _unknown(self, message: nodes.system_message, level: int) -> Iterator[Block]:
        """Yield what docutils does not read: tables and titles, and the argument and parsed content of directives."""
        from docutils import nodes

        for source in message.findall(nodes.literal_block):
            if message.children[0].astext().startswith(_MISPLACED):
                text = "\n".join(line for line in source.astext().split("\n") if not _RULE.match(line))
                yield Block(text, "lines", place={"line": message.get("line", self._line)})
                continue
            found = _UNKNOWN.match(source.astext())
            if found is None or found["name"] in _WITHOUT_TEXT or found["name"].startswith("auto"):
                continue
            line = message.get("line", self._line)
            argument, content = _parts(found["rest"])
            if found["name"] in _CODE | _LANGUAGE_FIRST:
                yield code(content, argument if found["name"] in _LANGUAGE_FIRST else "", {"line": line})
                continue
            if found["name"] in _VERSIONS:
                version, _, change = argument.replace("\n", " ").partition(" ")
                sentence = f"{_VERSIONS[found['name']]} {version}".strip()
                argument, content = "", f"{sentence}: {change}\n\n{content}" if change else f"{sentence}.\n\n{content}"
            if argument and found["name"] not in _CONDITIONS:
                yield Block(argument, place={"line": line})
            if content:
                inner = _Reader()
                inner._line = line
                yield from inner.blocks(_parsed(content), level, 0)


def _parts(rest: str) -> tuple[str, str]:
    """Return the argument and the content of a directive, without its options."""
    lines = rest.split("\n")
    head = [lines.pop(0).strip()]
    while lines and lines[0].strip() and not lines[0].lstrip().startswith(":"):
        head.append(lines.pop(0).strip())  # further arguments, or content without a blank line before it
    while lines and lines[0].strip():
        lines.pop(0)
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    content = "\n".join(line[margin:] for line in lines).strip("\n")
    return "\n".join(filter(None, head)), content


def _skipped() -> tuple[type[nodes.Node], ...]:
    from docutils import nodes

    return nodes.comment, nodes.substitution_definition, nodes.target, nodes.pending


def _is_plain(node: nodes.Node) -> bool:
    """Whether it is an item of a list with nothing but paragraphs."""
    from docutils import nodes

    return isinstance(node, nodes.list_item) and all(isinstance(part, nodes.paragraph) for part in node.children)


def _table(node: nodes.table, place: dict[str, int]) -> Iterator[Block]:
    from docutils import nodes

    for title in node.findall(nodes.title):
        yield Block(title.astext(), place=place)
    head = [_cells(row) for part in node.findall(nodes.thead) for row in part.children]
    rows = [_cells(row) for part in node.findall(nodes.tbody) for row in part.children]
    yield table(head[-1] if head else [], rows, place)


def _cells(row: nodes.Node) -> list[str]:
    return [entry.astext() for entry in row.children]
