"""Reads Markdown: CommonMark with tables, by markdown-it-py, and front matter."""

from __future__ import annotations

import datetime
import itertools
import json
import re
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.error_text import in_one_line
from jarvisperf.rag.errors import DocumentError, missing_package
from jarvisperf.rag.ingest.blocks import Block, Content, code
from jarvisperf.rag.ingest.encoding import decoded
from jarvisperf.rag.ingest.readers.web_page import blocks_of_html

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from markdown_it.token import Token

_FRONT_MATTER: Final = re.compile(r"\A---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_ATTRIBUTES: Final = re.compile(r"[ \t]*\{:?[ \t]*[#.][^{}\n]*\}[ \t]*$")
# The line before or after a block such as "/// note | Title", ":::note[Title]" or "::: {.warning} Title".
_MARKER: Final = re.compile(
    r"^[ \t]*(?:/{3,}(?:[ \t]*[\w-]+)?[ \t]*(?:\|(?P<title>.*))?"
    r"|:{3,}[ \t]*(?:\{[^{}\n]*\}|[\w-]+(?![^\s|\[{]))?(?:\{[^{}\n]*\})?[ \t]*[|\[]?[ \t]*(?P<heading>.*?)\]?)[ \t]*$",
    re.MULTILINE,
)
_FOOTNOTE: Final = re.compile(r" {0,3}\[\^")
# What is not text as it stands, tried from left to right, so that all of it is left alone within code: comments, images
# by their content, links to their content (such as a whole program), escapes and inline tags.
_SPECIAL: Final = re.compile(
    r"(?P<code>(?P<ticks>`+)(?:(?!`).|(?!(?P=ticks)(?!`))`+)*?(?P=ticks)(?!`))|<!--.*?-->"
    r"|!\[(?P<alt>[^\]]*)\]\(\s*<?data:[^)>]*>?[^)]*\)"
    r"|(?<!!)\[(?P<label>(?:[^\[\]!]|!(?!\[)|!?\[[^\[\]]*\]\([^()\n]*\))*)\]\(<?[^()\s<>]{200,}>?\)"
    r"|\\(?P<escaped>[!-/:-@\[-`{-~])"
    r"|<(?P<break>br)(?:\s[^<>]*)?/?>|</?(?:a|abbr|b|big|center|cite|del|dfn|em|font|i|img|ins|kbd|mark|q|s|samp|small|span|strike"
    r"|strong|sub|sup|u|var)(?:\s[^<>]*=[^<>]*|\s*/?)>",
    re.DOTALL | re.IGNORECASE,
)


def read_markdown(path: Path) -> Content:
    """Read a Markdown file.

    Raises:
        DocumentError: It is not UTF-8, and has no byte order mark.
        MissingPackageError: markdown-it-py is not installed.
    """
    text = decoded(path, path.read_bytes())
    metadata, start = _front_matter(path, text)
    return Content(list(blocks_of_markdown(text[start:], {}, text.count("\n", 0, start))), metadata)


def blocks_of_markdown(text: str, place: Mapping[str, int], lines_before: int = 0) -> Iterator[Block]:
    """Yield the blocks of a text in Markdown.

    Args:
        text: The text.
        place: Where it is in the file; if empty, each block has its line.
        lines_before: The number of lines above it in the file.

    Raises:
        MissingPackageError: markdown-it-py is not installed.
    """
    try:
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise missing_package("markdown-it-py") from error
    parser = MarkdownIt("commonmark").enable("table")
    parser.disable("inline")  # only the titles of headings are parsed further
    lines = text.split("\n")
    end = 0
    tokens = parser.parse(text)
    for index, token in enumerate(tokens):
        is_item = token.type == "list_item_open" and token.level == 1
        if token.map is None or (token.level and not is_item) or token.type.endswith("list_open"):
            continue
        start, following = token.map
        where = place or {"line": lines_before + start + 1}
        yield from _footnotes(lines, end, start, place, lines_before)
        end = following
        code_lines = [range(first - start, last - start) for first, last in _code_within(tokens, index)]
        yield from _blocks(token, tokens[index + 1 : index + 2], lines[start:following], where, code_lines)
    yield from _footnotes(lines, end, len(lines), place, lines_before)


def _code_within(tokens: Sequence[Token], index: int) -> Iterator[tuple[int, int]]:
    """Yield the lines of each block of code in an item of a list or in a quotation."""
    for inner in itertools.takewhile(
        lambda inner: inner.level > tokens[index].level, map(tokens.__getitem__, range(index + 1, len(tokens)))
    ):
        if inner.type in {"fence", "code_block"} and inner.map is not None:
            yield inner.map[0], inner.map[1]


def _blocks(
    token: Token, inner: Sequence[Token], lines: list[str], where: Mapping[str, int], code_lines: Sequence[range]
) -> Iterator[Block]:
    source = "\n".join(lines).rstrip()
    if token.type == "heading_open":
        title = _title(inner[0].content) if inner else ""
        if title:
            yield Block(f"{'#' * int(token.tag[1])} {title}", "heading", title=title, place=where)
    elif token.type == "fence":
        yield code(token.content.rstrip("\n"), _language(token.info), where, 1)
    elif token.type == "table_open":
        header, rows = "\n".join(lines[:2]) + "\n", "\n".join(lines[2:]).rstrip()
        if rows:
            yield Block(_as_read(rows), "lines", prefix=_as_read(header), place=where, lines_before=2)
        else:
            yield Block(_as_read(header), "lines", place=where)
    elif token.type == "html_block":
        yield from blocks_of_html(source, where)
    elif token.type == "code_block":
        yield Block(source, "lines", place=where, lines_before=0)
    elif token.type != "hr":
        text = _prose(lines, code_lines).strip()
        yield Block(
            text,
            "item" if token.type == "list_item_open" else "prose",
            place=where,
            lines_before=0 if text.count("\n") == source.count("\n") else None,
        )


def _title(source: str) -> str:
    """Return the text of a heading, without markup."""
    from markdown_it import MarkdownIt

    inline = MarkdownIt("commonmark").parseInline(_ATTRIBUTES.sub("", source))[0].children or []
    plain = "".join(
        " " if part.type.endswith("break") else part.content for part in inline if part.type != "html_inline"
    )
    return " ".join(plain.split())


def _footnotes(lines: list[str], start: int, end: int, place: Mapping[str, int], lines_before: int) -> Iterator[Block]:
    """Yield the footnotes among lines that CommonMark takes for definitions of links."""
    for number in range(start, end):
        if _FOOTNOTE.match(lines[number]):
            yield Block(lines[number].strip(), "item", place=place or {"line": lines_before + number + 1})


def _prose(lines: list[str], code_lines: Sequence[range]) -> str:
    """Return lines as they are read, those of code as they are."""
    parts: list[str] = []
    start = 0
    for code_range in (*code_lines, range(len(lines), len(lines))):
        before, within = lines[start : code_range.start], lines[code_range.start : code_range.stop]
        parts += [_as_read(_MARKER.sub(_title_of_marker, "\n".join(before)))] if before else []
        parts += within
        start = code_range.stop
    return "\n".join(parts)


def _title_of_marker(found: re.Match[str]) -> str:
    return (found["title"] or found["heading"] or "").strip()


def _as_read(text: str) -> str:
    """Return text without embedded images, long addresses, comments, tags and escapes, except in code."""
    if "\\" not in text and "<" not in text and "](" not in text:
        return text
    return _SPECIAL.sub(_special_as_read, text)


def _special_as_read(found: re.Match[str]) -> str:
    if found["code"]:
        return found["code"]
    label = found["alt"] or found["label"]
    return _as_read(label) if label else found["escaped"] or (" " if found["break"] else "")


def _language(info: str) -> str:
    """Return the language in the opening of a fence, such as ``python title="x"`` or ``{.python}``."""
    words = info.replace("{", " ").replace("}", " ").split()
    return words[0].lstrip(".").partition(",")[0] if words else ""


def _front_matter(path: Path, text: str) -> tuple[dict[str, Any], int]:
    """Return the metadata at the head of a file, and where the text begins."""
    found = _FRONT_MATTER.match(text)
    if found is None:
        return {}, 0
    try:
        import yaml
    except ImportError as error:
        raise missing_package("pyyaml") from error
    try:
        fields = yaml.safe_load(found[1] or "")
    except (yaml.YAMLError, ValueError) as error:
        if re.match(r"\w+:", found[1] or ""):
            raise DocumentError(f"{path} has front matter that is not YAML: {in_one_line(error)}") from error
        return {}, 0  # a rule and a paragraph
    if fields is not None and not isinstance(fields, dict):
        return {}, 0
    return {str(name): _storable(value) for name, value in (fields or {}).items()}, found.end()


def _storable(value: Any) -> Any:
    """Return a value that the metadata of a passage can hold; nested ones as JSON."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, datetime.date):  # and a date with a time
        return value.isoformat()
    if isinstance(value, list) and value and all(type(part) is str for part in value):
        return value
    return json.dumps(value, default=str, ensure_ascii=False)
