"""Splits texts in any script into the words that keyword search compares.

Words are compared without regard to case, accents and compatibility forms: NFKC (Unicode Standard Annex 15), case
folding, and removal of the marks that Latin, Greek, Cyrillic, Hebrew and Arabic texts may leave out. Marks that change
the letter, such as Japanese voicing marks and the vowel signs of Indian scripts, are kept.

Scripts without spaces between words, and Korean, whose particles are attached to words, are split into pairs of
neighbouring characters, as Lucene's CJKAnalyzer does. A passage also has its single characters, for queries of one.

Only the comparison works on these forms; texts, ids and cache keys keep theirs.
"""

from __future__ import annotations

import functools
import itertools
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.rag.errors import missing_package

if TYPE_CHECKING:
    from collections.abc import Iterator

# Accents (Latin, Greek, Cyrillic), Hebrew points, and Arabic vowel marks with the elongation sign.
_OPTIONAL_MARKS: Final = r"[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u0652\u0670]+"
_WITHOUT_SPACES: Final = (
    r"\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}"
    r"\p{Script=Khmer}\p{Script=Myanmar}\u30fc"
)


def words_of_query(text: str) -> list[str]:
    """Return the words of a query; pairs of characters where a script has no spaces.

    Raises:
        MissingPackageError: regex is not installed.
    """
    return [word for run, is_spaced in _runs(text) for word in ([run] if is_spaced else _pairs(run) or [run])]


def words_of_passage(text: str) -> list[str]:
    """Return the words of a passage: every word that a query for a part of it may have.

    Raises:
        MissingPackageError: regex is not installed.
    """
    return [word for run, is_spaced in _runs(text) for word in ([run] if is_spaced else [*_letters(run), *_pairs(run)])]


def _runs(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the words, and whether each is one of a script with spaces."""
    word, _, marks = _patterns()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    plain = unicodedata.normalize("NFC", marks.sub("", folded))
    for found in word.finditer(plain):
        yield found[0], found.lastgroup == "spaced"


def _letters(run: str) -> list[str]:
    letters: list[str] = _patterns()[1].findall(run)
    return letters


def _pairs(run: str) -> list[str]:
    letters = _letters(run)
    return [first + second for first, second in itertools.pairwise(letters)]


@functools.lru_cache(maxsize=1)
def _patterns() -> tuple[Any, Any, Any]:
    """Return the patterns of words, of letters with their marks, and of optional marks."""
    try:
        import regex  # the standard library's patterns know no scripts and end a word at each vowel sign
    except ImportError as error:
        raise missing_package("regex") from error
    word = regex.compile(rf"(?P<unspaced>[{_WITHOUT_SPACES}][{_WITHOUT_SPACES}\p{{M}}]*)|(?P<spaced>{_spaced()}+)")
    return word, regex.compile(r"\X"), regex.compile(_OPTIONAL_MARKS)


def _spaced() -> str:
    return rf"(?:(?![{_WITHOUT_SPACES}])[\w\p{{M}}])"
