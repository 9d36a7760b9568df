"""Prepares a Word file for mammoth, which skips formulas and does not know which tables begin with a header.

Formulas become text, as Word writes them in a line (Sargent, UnicodeMath, Unicode Technical Note 28). The first row of
a table becomes its header if the table is formatted so (``firstRow``, ECMA-376-1, 17.4.55), unless it names one itself.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
import zipfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

_PART: Final = re.compile(r"word/[^/]+\.xml")
_READ: Final = (".xml", ".rels")  # and neither pictures nor embedded files
_MATHS: Final = frozenset(
    {
        "http://schemas.openxmlformats.org/officeDocument/2006/math",
        "http://purl.oclc.org/ooxml/officeDocument/math",
    }
)
_WORDS: Final = frozenset(
    {
        "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        "http://purl.oclc.org/ooxml/wordprocessingml/main",
    }
)
_FIRST_ROW: Final = 0x0020
_TERMS: Final = re.compile("[-+/=\u00b1\u00b7\u00d7\u00f7\u2212\u22c5]")  # what joins terms
_SIMPLE: Final = re.compile(r"\w*|.|\([^()]*\)", re.DOTALL)


def prepared(file: BinaryIO) -> BinaryIO:
    """Return a copy of a Word file with formulas as text and marked headers.

    Raises:
        zipfile.BadZipFile, xml.etree.ElementTree.ParseError, RecursionError: The file is damaged.
    """
    copy = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            content = old.read(name) if name.lower().endswith(_READ) else b""
            if _PART.fullmatch(name) and (b"oMath" in content or b"tblLook" in content):
                content = _prepared_part(content)
            new.writestr(name, content)
    copy.seek(0)
    return copy


def _prepared_part(content: bytes) -> bytes:
    root = ET.fromstring(content)  # noqa: S314  # mammoth's own parser is no safer
    for parent in list(root.iter()):
        for place, child in enumerate(parent):
            if _is(child, _MATHS, "oMath") and not _is(parent, _MATHS, "oMath"):
                parent[place] = _run(_line(child), root)
        if _is(parent, _WORDS, "tbl"):
            _mark_header(parent)
    for parent in list(root.iter()):
        for place, child in reversed(list(enumerate(parent))):
            if _is(child, _MATHS, "oMathPara"):
                parent[place : place + 1] = list(child)
    changed: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return changed


def _is(element: ET.Element, spaces: frozenset[str], name: str) -> bool:
    space, _, local = element.tag.removeprefix("{").partition("}")
    return local == name and space in spaces


def _run(text: str, root: ET.Element) -> ET.Element:
    """Return text as Word stores it."""
    words = root.tag.partition("}")[0] + "}"
    run = ET.Element(f"{words}r")
    ET.SubElement(run, f"{words}t").text = f" {text} "
    return run


def _mark_header(table: ET.Element) -> None:
    words = table.tag.partition("}")[0] + "}"
    rows = table.findall(f"{words}tr")
    look = table.find(f"{words}tblPr/{words}tblLook")
    if look is None or len(rows) < 2 or table.find(f"{words}tr/{words}trPr/{words}tblHeader") is not None:
        return
    flag = look.get(f"{words}firstRow")
    value = look.get(f"{words}val") or "0"
    if flag in {"1", "true", "on"} if flag is not None else int(value, 16) & _FIRST_ROW:
        properties = rows[0].find(f"{words}trPr")
        if properties is None:
            properties = ET.Element(f"{words}trPr")
            rows[0].insert(0, properties)
        ET.SubElement(properties, f"{words}tblHeader")


def _line(node: ET.Element) -> str:
    """Return a formula, or a part of one, in a line."""
    name = node.tag.partition("}")[2]
    if name == "t":
        return node.text or ""
    if name in _FORMS:
        return _FORMS[name](node)
    return "".join(map(_line, node))


def _part(node: ET.Element, name: str) -> str:
    """Return a part of a formula that has this name."""
    return "".join(_line(child) for child in node if child.tag.partition("}")[2] == name)


def _group(text: str) -> str:
    return text if _SIMPLE.fullmatch(text) else f"({text})"


def _scripts(node: ET.Element) -> str:
    below, above = _part(node, "sub") or _part(node, "lim"), _part(node, "sup")
    return (f"_{_group(below)}" if below else "") + (f"^{_group(above)}" if above else "")


def _setting(node: ET.Element, name: str, default: str) -> str:
    """Return a property of a part of a formula, such as its operator or its brackets."""
    for found in node.iter():
        space, _, local = found.tag.partition("}")
        if local == name:
            return found.get(f"{space}}}val", "")
        if local == "e":
            break
    return default


def _delimited(node: ET.Element) -> str:
    parts = [_line(child) for child in node if child.tag.endswith("}e")]
    inner = _setting(node, "sepChr", "|").join(parts)
    return f"{_setting(node, 'begChr', '(')}{inner}{_setting(node, 'endChr', ')')}"


def _matrix(node: ET.Element) -> str:
    rows = ([_line(cell) for cell in row] for row in node if row.tag.endswith("}mr"))
    return "; ".join(", ".join(row) for row in rows)


def _operator(node: ET.Element) -> str:
    return f"{_setting(node, 'chr', _INTEGRAL)}{_scripts(node)} {_part(node, 'e')}"


def _root(node: ET.Element) -> str:
    return f"{_part(node, 'deg')}\u221a{_group(_part(node, 'e'))}"


def _scripted(node: ET.Element) -> str:
    base = _part(node, "e")
    return (_group(base) if _TERMS.search(base) else base) + _scripts(node)


def _accented(node: ET.Element) -> str:
    return _group(_part(node, "e")) + _setting(node, "chr", "\u0302")


def _barred(node: ET.Element) -> str:
    return _group(_part(node, "e")) + ("\u0304" if _setting(node, "pos", "bot") == "top" else "\u0332")


_INTEGRAL: Final = "\u222b"
_FORMS: Final[dict[str, Callable[[ET.Element], str]]] = {
    "acc": _accented,
    "bar": _barred,
    "d": _delimited,
    "eqArr": lambda node: "; ".join(_line(child) for child in node if child.tag.endswith("}e")),
    "f": lambda node: f"{_group(_part(node, 'num'))}/{_group(_part(node, 'den'))}",
    "func": lambda node: f" {_part(node, 'fName')} {_group(_part(node, 'e'))}",
    "m": _matrix,
    "nary": _operator,
    "rad": _root,
    "limLow": _scripted,
    "limUpp": lambda node: f"{_part(node, 'e')}^{_group(_part(node, 'lim'))}",
    "sPre": lambda node: f" {_scripts(node)} {_part(node, 'e')}",
    "sSub": _scripted,
    "sSubSup": _scripted,
    "sSup": _scripted,
}
