"""Questions with known answers: public retrieval sets, from files given by the caller, and the suite's own."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jarvisperf.bench.corpus import QUERIES, topics_of_chunks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Exam:
    """A corpus, and questions about it.

    Attributes:
        name: The name of the table's row.
        texts: The corpus.
        questions: Each with the texts, by their places in the corpus, that answer it.
    """

    name: str
    texts: Sequence[str]
    questions: Sequence[tuple[str, frozenset[int]]]


def read_pira(folder: Path) -> list[dict[str, str]]:
    """The rows of ``test.csv`` of Pirá (A. Paschoal et al., "Pirá: A Bilingual Portuguese-English Dataset", 2021)."""
    with (folder / "test.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def pira_exams(rows: Sequence[dict[str, str]]) -> list[Exam]:
    """Pirá's questions in English and in Portuguese, each to be answered by its own abstract."""
    return [
        _exam_of_pairs(f"Pirá, {name}", [(row[column], row[abstract]) for row in rows])
        for name, column, abstract in (
            ("English", "question_en_origin", "abstract"),
            ("Portuguese to English", "question_pt_origin", "abstract"),
            ("Portuguese", "question_pt_origin", "abstract_translated_pt"),
        )
    ]


def reading_exam(name: str, file: Path) -> Exam:
    """The questions of a reading set in the format of SQuAD, each to be answered by its own paragraph.

    XQuAD (M. Artetxe, S. Ruder and D. Yogatama, "On the Cross-lingual Transferability of Monolingual Representations",
    2020; github.com/google-deepmind/xquad) and FaQuAD (H. Sayama, A. Araujo and E. Fernandes, "FaQuAD: Reading
    Comprehension Dataset in the Domain of Brazilian Higher Education", 2019; github.com/liafacom/faquad).
    """
    articles = json.loads(file.read_text(encoding="utf-8"))["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    return _exam_of_pairs(name, [(asked["question"], one["context"]) for one in paragraphs for asked in one["qas"]])


def cranfield_exam(folder: Path) -> Exam:
    """Cranfield's 225 queries about 1400 abstracts on aerodynamics: files cran.all.1400, cran.qry and cranqrel.

    C. Cleverdon, "The Cranfield Tests on Index Language Devices", 1967. Judgements of 1 to 4 count as relevant; queries
    are numbered by their place in the file.
    """
    abstracts = _sections(folder / "cran.all.1400", "TW")
    queries = list(_sections(folder / "cran.qry", "W").values())
    right: list[set[int]] = [set() for _ in queries]
    place = {number: index for index, number in enumerate(abstracts)}
    for line in (folder / "cranqrel").read_text(encoding="utf-8").splitlines():
        query, document, grade = map(int, line.split())
        if grade in range(1, 5) and document in place:
            right[query - 1].add(place[document])
    texts = [text or "(empty)" for text in abstracts.values()]  # two abstracts have no text
    asked = [(query, frozenset(found)) for query, found in zip(queries, right, strict=True) if found]
    return Exam("Cranfield", texts, asked)


def own_exam() -> Exam:
    """The suite's own questions, each to be answered by any chunk of the topics that were named for it by hand."""
    topics = topics_of_chunks()
    chunks = list(topics)
    answers = [
        frozenset(number for number, chunk in enumerate(chunks) if topics[chunk] & wanted) for wanted in ANSWER_TOPICS
    ]
    return Exam("Python's reference", chunks, list(zip(QUERIES, answers, strict=True)))


def _exam_of_pairs(name: str, pairs: Sequence[tuple[str, str]]) -> Exam:
    """An exam of questions that are each answered by one text."""
    asked = [(question, text) for question, text in pairs if question.strip() and text.strip()]
    texts = list(dict.fromkeys(text for _, text in asked))
    place = {text: number for number, text in enumerate(texts)}
    return Exam(name, texts, [(question, frozenset({place[text]})) for question, text in asked])


def _sections(file: Path, wanted: str) -> dict[int, str]:
    """The fields with these letters of each entry of a file in SMART's format, joined, by the entry's number."""
    found: dict[int, str] = {}
    number, letter = 0, ""
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if field := re.fullmatch(r"\.([A-Z])(?:\s+(\d+))?\s*", line):
            letter = field[1]
            if letter == "I":
                number = int(field[2])
                found[number] = ""
        elif letter in wanted:
            found[number] = f"{found[number]} {line}".strip()
    return found


def paraphrases(rows: Sequence[dict[str, str]]) -> list[tuple[str, str]]:
    """Pairs of questions that mean the same: Pirá's questions and their paraphrases, in both languages."""
    pairs = [
        (row[f"question_{code}_origin"], row[f"question_{code}_paraphase"]) for row in rows for code in ("en", "pt")
    ]
    return [(one, other) for one, other in pairs if one.strip() and other.strip()]


OPPOSITES: tuple[tuple[str, str], ...] = (
    ("How do I enable two-factor authentication?", "How do I disable two-factor authentication?"),
    ("How do I turn on notifications?", "How do I turn off notifications?"),
    ("Which drugs are safe in pregnancy?", "Which drugs are not safe in pregnancy?"),
    ("Does the warranty cover water damage?", "Does the warranty not cover water damage?"),
    ("What causes an increase in sea level?", "What causes a decrease in sea level?"),
    ("How can I open the valve?", "How can I close the valve?"),
    ("When does the shop open?", "When does the shop close?"),
    ("Why did the price rise in 2020?", "Why did the price fall in 2020?"),
    ("Why did the price rise in 2020?", "Why did the price rise in 2021?"),
    ("Is the Atlantic deeper than the Pacific?", "Is the Pacific deeper than the Atlantic?"),
    ("How do I convert euros to dollars?", "How do I convert dollars to euros?"),
    ("Who beat Brazil in the final?", "Who did Brazil beat in the final?"),
    ("What are the advantages of offshore wind?", "What are the disadvantages of offshore wind?"),
    ("Which species live in shallow water?", "Which species live in deep water?"),
    ("How do I add a user to the group?", "How do I remove a user from the group?"),
    ("Can minors travel without their parents?", "Can minors travel with their parents?"),
    ("What is the maximum speed?", "What is the minimum speed?"),
    ("How do I encrypt a file?", "How do I decrypt a file?"),
    ("Is this food good before exercise?", "Is this food good after exercise?"),
    ("Which oils are soluble in water?", "Which oils are insoluble in water?"),
    ("Como ativo a verificação em duas etapas?", "Como desativo a verificação em duas etapas?"),
    ("Quais remédios são seguros na gravidez?", "Quais remédios não são seguros na gravidez?"),
    ("O que causa o aumento do nível do mar?", "O que causa a diminuição do nível do mar?"),
    ("Quando abre a loja?", "Quando fecha a loja?"),
    ("Por que o preço subiu em 2020?", "Por que o preço caiu em 2020?"),
    ("Onde mora o avô de Maria?", "Onde mora a avó de Maria?"),
    ("Como converter euros em dólares?", "Como converter dólares em euros?"),
    ("Quais são as vantagens da energia eólica?", "Quais são as desvantagens da energia eólica?"),
    ("Quais espécies vivem em águas rasas?", "Quais espécies vivem em águas profundas?"),
    ("Menores podem viajar com os pais?", "Menores podem viajar sem os pais?"),
    ("Qual é a velocidade máxima?", "Qual é a velocidade mínima?"),
    ("O contrato permite cancelar?", "O contrato não permite cancelar?"),
    ("Como adiciono um usuário ao grupo?", "Como removo um usuário do grupo?"),
    ("O Atlântico é mais fundo que o Pacífico?", "O Pacífico é mais fundo que o Atlântico?"),
    ("Which drinks have no sugar?", "Which drinks have sugar?"),
    ("Payments to the bank", "Payments by the bank"),
    ("Who is the president?", "Who was the president?"),
    ("What is in water?", "What is water?"),
    ("How do I log in?", "How do I log?"),
    ("What does the heart do?", "What is the heart?"),
    ("vitamin A", "vitamin"),
    ("Who can receive type O blood?", "Who can receive type blood?"),
    ("How do I stop a DoS attack?", "How do I stop an attack?"),
    ("What is C++?", "What is C#?"),
    ("What is .NET?", "What is net?"),
    ("-5 degrees", "5 degrees"),
    ("Quem é o presidente?", "Quem foi o presidente?"),
    ("Qual é a população de São Paulo?", "Qual é a população de Paulo?"),
)
"""Pairs of questions that mean something else, by a negation, an antonym, a number, the order, a small word or a sign;
written by hand.
"""

_ANSWERS = (
    "for compound",
    "while compound",
    "raise exceptions",
    "try compound exceptions",
    "with context-managers compound",
    "function compound",
    "comparisons objects",
    "attribute-access attribute-references customization",
    "attribute-access customization",
    "attribute-access customization",
    "class customization specialnames",
    "yield async",
    "yield",
    "global",
    "nonlocal global",
    "operator-summary",
    "atom-literals strings string-methods",
    "strings formatstrings",
    "formatstrings",
    "slicings sequence-types subscriptions typesseq",
    "typesseq-mutable",
    "callable-types calls specialnames class",
    "attribute-access customization",
    "class attribute-references types specialattrs typesmethods",
    "del",
    "import",
    "import",
    "assert",
    "compound",
    "compound",
    "lambda",
    "async await compound",
    "async compound for",
    "identifiers id-classes atom-identifiers",
    "conversions numeric-types binary integers floating",
    "binary numeric-types operator-summary",
    "comparisons",
    "truth booleans",
    "typesmapping dict",
    "debugger",
    "for compound",
    "raise exceptions",
    "try compound exceptions",
    "with context-managers compound",
    "function compound",
    "comparisons objects",
    "yield async",
    "class customization specialnames",
    "attribute-access customization",
    "operator-summary",
    "slicings sequence-types subscriptions typesseq",
    "del",
    "import",
    "assert",
    "lambda",
    "async await compound",
    "typesseq-mutable",
    "truth booleans",
    "attribute-access attribute-references customization",
    "formatstrings",
)

ANSWER_TOPICS: tuple[frozenset[str], ...] = tuple(frozenset(names.split()) for names in _ANSWERS)
"""For each of the questions the topics of the reference that answer it, chosen by hand from the topics' titles."""
