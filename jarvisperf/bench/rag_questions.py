"""Questions with known answers, from which the quality of retrieval is measured; one JSON object per line of a file.

    {"question": "How are ties broken?", "relevant": ["guide.md"]}
    {"question": "What is a tie?", "relevant": {"guide.md": 1, "glossary.md": 3}}

A name in ``relevant`` is the source of passages as results call it, its absolute path, or the id of a passage. A number
is a grade: a higher one counts more in nDCG. Other fields are ignored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path


class QuestionsError(ValueError):
    """A file of questions cannot be used; the message is one line."""


class GradedQuestion(msgspec.Struct, frozen=True):
    """A question, and what answers it.

    Attributes:
        question: The query.
        relevant: The grade of each relevant source or passage, above 0; at least one.
    """

    question: str
    relevant: Mapping[str, float]


def read_questions(file: Path) -> list[GradedQuestion]:
    """Read a file of questions.

    Raises:
        QuestionsError: The file cannot be read, contains no questions, or a line is not one.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionsError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error
    found: dict[str, GradedQuestion] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        one = _question(line, f"{file}, line {number}")
        if one.question in found:
            raise QuestionsError(f"{file}, line {number}: the question {one.question!r} is there twice: keep one")
        found[one.question] = one
    if not found:
        raise QuestionsError(f"{file} contains no questions: give one JSON object per line")
    return list(found.values())


def _question(line: str, place: str) -> GradedQuestion:
    try:
        fields: Any = msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        raise QuestionsError(f"{place} is not JSON: {error}") from error
    question = fields.get("question") if isinstance(fields, dict) else None
    if not isinstance(question, str) or not question.strip():
        raise QuestionsError(f'{place} has no "question": give an object such as {_EXAMPLE}')
    named = fields.get("relevant")
    graded = dict.fromkeys(named, 1.0) if isinstance(named, list) and all(map(_is_name, named)) else named
    if not isinstance(graded, dict) or not graded:
        raise QuestionsError(f'{place} has no "relevant" sources or ids: give an object such as {_EXAMPLE}')
    for name, grade in graded.items():
        if isinstance(grade, bool) or not isinstance(grade, int | float) or not 0 < grade < math.inf:
            raise QuestionsError(f"{place}: the grade of {name!r} is {grade!r}: give a number above 0")
    return GradedQuestion(question, {name: float(grade) for name, grade in graded.items()})


def _is_name(name: object) -> bool:
    return isinstance(name, str)


_EXAMPLE = '{"question": "How are ties broken?", "relevant": ["guide.md"]}'
