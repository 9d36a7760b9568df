"""Undoes the layout of a page of a PDF: broken words and lines are joined, letters of Arabic put in order."""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

# PDFium marks a hyphen at the end of a line that may belong to the word or to the layout as U+0002 or U+FFFE.
_BROKEN_WORD: Final = re.compile(r"(\w+)(?:[ \t]*[\x02\ufffe\xad]|[-\u2010](?=\n))\n?[ \t]*(\w+)")
_ODD: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\xad\ufffe\uffff\ufeff]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f]")
_ENDS_LINE: Final = re.compile(r"[.!?:;\u3002\uff01\uff1f\uff1a\uff1b]['\"\u201d\u2019)\]]*$")
_STARTS_BLOCK: Final = re.compile(
    "[\u2022\u2023\u2043\u25a0\u25a1\u25aa\u25ab\u25b6\u25ba\u25c6\u25c7\u25cb\u25cf\u25e6\u2605\u2606\u203b\u2713\u2714"
    "\u2756\u27a2\u27a4]|[*\u2013\u2014-]\\s|\\(?[0-9]{1,3}[.)]\\s|\\(?[a-z][.)]\\s"
)
_SYMBOL: Final = re.compile(r"^[\x80-\x9f\ue000-\uf8ff](?=\s|\w)")  # a bullet of a symbol font
_LEADER: Final = re.compile(r"(?:[.\u00b7\u2026_][ \u00a0]?){5,}")  # from a title to its page, or a line to write on
_NUMBER: Final = re.compile(r"\S*\d\S*$")
_FEWEST_CELLS: Final = 3
_FULL: Final = 0.6  # of the longest lines nearby: what is shorter ends on purpose
_NEARBY: Final = 6  # lines above and below: columns, notes and headings have lines of different lengths
_ASIAN: Final = 0x2E80  # the first of the letters that need no space between them, except Korean
_HANGUL: Final = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
# Where Korean is broken within words, only lines that end with a word end with a space, about one in three.
_KOREAN_WORD_ENDS: Final = 0.25
_RIGHT_TO_LEFT: Final = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_MARK_BEFORE_LETTER: Final = re.compile("[ \u00a0]([\u064b-\u065f\u0670]+)([\u0621-\u064a])")
_LEFT_TO_RIGHT: Final = frozenset({"L", "EN", "AN"})  # bidirectional classes of letters and digits


def text_of(textpage: Any, *, marks_breaks: bool = True) -> str:
    """Return the text of a page in reading order, lines ending with newlines.

    Args:
        textpage: PDFium's page.
        marks_breaks: Control characters mark broken words; in fonts that do not name their letters, they are spaces.

    PDFium stores text from right to left in reading order glyph by glyph, but leaves the letters of one glyph, such as
    Arabic lam-alef, in the opposite order; a vowel sign that a font draws above a space precedes its letter.
    """
    text = str(textpage.get_text_bounded())
    if _RIGHT_TO_LEFT.search(text):
        text = _MARK_BEFORE_LETTER.sub(r"\2\1", "".join(_letters_in_order(textpage)))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if marks_breaks else _CONTROL.sub(" ", text)


def share_without_meaning(textpage: Any) -> float:
    """Return the share of a page's letters whose font does not say which ones they are.

    Such a letter looks like another one, or like a control character.
    """
    import pypdfium2.raw as pdfium

    named = nameless = 0
    for place in range(textpage.count_chars()):
        letter = chr(pdfium.FPDFText_GetUnicode(textpage.raw, place))
        if letter.isalpha() or letter < " ":
            is_nameless = pdfium.FPDFText_HasUnicodeMapError(textpage.raw, place) == 1
            nameless += is_nameless
            named += letter.isalpha() and not is_nameless
    return nameless / (named + nameless) if nameless else 0.0


def _letters_in_order(textpage: Any) -> Iterable[str]:
    import pypdfium2.raw as pdfium

    codes = [pdfium.FPDFText_GetUnicode(textpage.raw, place) for place in range(textpage.count_chars())]
    letters = [chr(code) if code else "" for code in codes]
    places = enumerate(letters)
    for _, glyph in itertools.groupby(places, key=lambda one: textpage.get_charbox(one[0]) if one[1] > " " else one[0]):
        of_glyph = [letter for _, letter in glyph]
        is_reversed = any(map(_RIGHT_TO_LEFT.match, of_glyph)) and not any(
            unicodedata.bidirectional(letter) in _LEFT_TO_RIGHT for letter in of_glyph if letter
        )
        yield from reversed(of_glyph) if is_reversed else of_glyph


def joined(pages: Sequence[str]) -> list[list[str]]:
    """Return the paragraphs of each page."""
    known = set(re.findall(r"\w+(?:-\w+)*", "\n".join(pages).lower()))
    whole = (_BROKEN_WORD.sub(lambda broken: _whole(broken[1], broken[2], known), page) for page in pages)
    return [_paragraphs(page) for page in whole]


def _whole(first: str, second: str, known: AbstractSet[str]) -> str:
    """Join a broken word; keep its hyphen if the document does so elsewhere, or a number or a name follows."""
    hyphenated = f"{first}-{second}"
    keeps = hyphenated.lower() in known and f"{first}{second}".lower() not in known
    return hyphenated if keeps or not second[0].islower() else f"{first}{second}"


def _paragraphs(page: str) -> list[str]:
    """Join lines that the layout wrapped."""
    raw = [_ODD.sub("", line) for line in page.split("\n")]
    lines = [_SYMBOL.sub("\u2022", " ".join(_LEADER.sub(" \u2026 ", line).split())) for line in raw]
    ends = [line[-1].isspace() for line in raw if _HANGUL.match(line.rstrip()[-1:])]
    shows_words = sum(ends) > len(ends) * _KOREAN_WORD_ENDS
    text = before = ""
    for number, line in enumerate(lines):
        if not line:
            text += "\n\n" if before else ""
        elif before and not _continues(before, line, _full_length(lines, number - 1)):
            text += f"\n{line}"
        elif before:
            text += _joint(before, line, within_word=shows_words and not raw[number - 1][-1].isspace()) + line
        else:
            text += line
        before = line
    return [part for part in text.split("\n\n") if part.strip()]


def _continues(before: str, line: str, full: float) -> bool:
    if _STARTS_BLOCK.match(line) or "\u2026 " in before or (_is_row(before) and _is_row(line)):
        return False
    return len(before) >= full or not (_ENDS_LINE.search(before) or not line[0].islower())


def _is_row(line: str) -> bool:
    """Return whether a line is a row of a table of numbers."""
    cells = line.split()
    return len(cells) >= _FEWEST_CELLS and sum(map(bool, map(_NUMBER.match, cells))) * 2 > len(cells)


def _full_length(lines: Sequence[str], number: int) -> float:
    """Return how many characters a line has at least that the layout ended."""
    lengths = sorted(len(line) for line in lines[max(0, number - _NEARBY) : number + _NEARBY + 1] if line)
    return _FULL * lengths[len(lengths) * 9 // 10]


def _joint(before: str, line: str, *, within_word: bool) -> str:
    """Return what belongs between two lines of a paragraph."""
    if ord(before[-1]) < _ASIAN or ord(line[0]) < _ASIAN:
        return " "
    if _HANGUL.match(before[-1]) or _HANGUL.match(line[0]):
        return "" if within_word else " "
    return ""
