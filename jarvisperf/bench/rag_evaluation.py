"""Evaluates a RAG on questions with known answers, and compares two configurations question by question."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any, Final

import msgspec

from jarvisperf.bench.rag_questions import QuestionsError
from jarvisperf.bench.ranking_measures import Mean, mean_of, normalised_gain, recall, reciprocal_rank
from jarvisperf.gate.verdict.bounded import interval_of, ratio_of
from jarvisperf.gate.verdict.decide import SUITE_ERROR, FourVerdicts, word_of
from jarvisperf.gate.verdict.distributions import t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Unpack

    from jarvisperf.bench.rag_questions import GradedQuestion
    from jarvisperf.rag import OptimizedRAG, SearchOptions, SearchResult

MEASURES: Final = ("recall", "mrr", "ndcg")

_SCHEMA: Final = "jarvisperf.rag-evaluation/1"
# Smaller values count as this one in ratios, because 0 has no ratio.
_SMALLEST: Final = 0.01


class Figures(msgspec.Struct, frozen=True):
    """The measures of one question, each from 0 to 1."""

    recall: float
    mrr: float
    ndcg: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """The quality of retrieval for a set of questions.

    Attributes:
        schema: The version of this layout.
        depth: The number of results that count.
        questions: The measures of each question.
    """

    schema: str = _SCHEMA
    depth: int
    questions: dict[str, Figures]

    def mean(self, measure: str) -> Mean:
        """Return the mean of a measure over the questions, with its 95 % interval.

        Args:
            measure: ``recall``, ``mrr`` or ``ndcg``.
        """
        return mean_of(self.values(measure))

    def values(self, measure: str) -> list[float]:
        """Return a measure of each question, in the order of the questions."""
        return [getattr(figures, measure) for figures in self.questions.values()]

    @property
    def unanswered(self) -> list[str]:
        """The questions for which nothing relevant was found."""
        return [question for question, figures in self.questions.items() if not figures.recall]


class QualityChange(msgspec.Struct, frozen=True):
    """The change of a measure from one evaluation to another.

    Attributes:
        base: The mean before.
        head: The mean after.
        ratio: head / base.
        interval: The 95 % interval of the ratio.
        verdict: One of the gate's verdicts.
    """

    base: float
    head: float
    ratio: float
    interval: tuple[float, float]
    verdict: FourVerdicts


def evaluate_rag(
    rag: OptimizedRAG, questions: Sequence[GradedQuestion], n_results: int = 10, **options: Unpack[SearchOptions]
) -> Evaluation:
    """Search for each question, without the cache, and measure what is found once every passage has its vector.

    Args:
        rag: The RAG.
        questions: The questions, at least one, all different.
        n_results: The number of results that count.
        **options: See :meth:`jarvisperf.rag.OptimizedRAG.search`.

    Raises:
        QuestionsError: The collection is empty.
        TypeError, ValueError, ModelNotFoundError, StoreError: See :meth:`jarvisperf.rag.OptimizedRAG.search`.
    """
    if not rag.search_many([questions[0].question], 1)[0]:
        raise QuestionsError("the collection is empty: add documents before you evaluate")
    found = rag.search_many([one.question for one in questions], n_results, **options)
    if not all(getattr(results, "complete", True) for results in found):
        rag.wait()
        found = rag.search_many([one.question for one in questions], n_results, **options)
    return Evaluation(
        depth=n_results,
        questions={
            one.question: _figures(one, results, n_results) for one, results in zip(questions, found, strict=True)
        },
    )


def compare_evaluations(base: Evaluation, head: Evaluation, threshold: float = 0.05) -> dict[str, QualityChange]:
    """Compare two evaluations of the same questions, in pairs, and decide as the gate does.

    Questions are the independent units. The logarithm of the ratio of the means is approximately normal with the
    variance of the mean of head / mean(head) - base / mean(base), in which what makes a question hard for both
    configurations cancels (the delta method: G. Casella and R. Berger, "Statistical Inference", 2002, section 5.5.4).

    Args:
        base: The configuration to compare with.
        head: The one to judge.
        threshold: How much worse the mean of a measure may get, as a share of base's.

    Returns:
        The change of each measure. As in the gate, a verdict ``regressed`` or ``improved`` needs an interval beyond the
        threshold, and a wider one, for all measures together, that excludes 1.

    Raises:
        QuestionsError: The evaluations have different questions or numbers of results.
    """
    if base.depth != head.depth:
        raise QuestionsError(f"the evaluations count {base.depth} and {head.depth} results: evaluate with the same -n")
    if base.questions.keys() != head.questions.keys():
        differing = len(base.questions.keys() ^ head.questions.keys())
        raise QuestionsError(f"{differing} questions are in only one of the evaluations: evaluate both with one file")
    return {measure: _change(base, head, measure, threshold) for measure in MEASURES}


def save(evaluation: Evaluation, file: Path) -> None:
    """Write an evaluation to a JSON file.

    Raises:
        QuestionsError: The file cannot be written.
    """
    try:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(evaluation), indent=1))
    except OSError as error:
        raise QuestionsError(f"cannot write {file}: {error.strerror}") from error


def load(file: Path) -> Evaluation:
    """Read what :func:`save` wrote.

    Raises:
        QuestionsError: The file cannot be read, or is not an evaluation.
    """
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Evaluation)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise QuestionsError(f"{file} is not a saved evaluation: {reason}") from error
    if found.schema != _SCHEMA or not found.questions:
        raise QuestionsError(f"{file} is not a saved evaluation: its schema is {found.schema!r}, expected {_SCHEMA!r}")
    return found


def _figures(question: GradedQuestion, results: Sequence[SearchResult], depth: int) -> Figures:
    left = dict(question.relevant)
    gains = [_gain(result, left) for result in results[:depth]]
    wanted = list(question.relevant.values())
    return Figures(recall(gains, wanted), reciprocal_rank(gains), normalised_gain(gains, wanted, depth))


def _gain(result: SearchResult, left: dict[str, float]) -> float:
    """Return the grade of a result; a second passage of the same relevant source adds nothing."""
    names: list[Any] = [result.id, result.source, result.metadata.get("source")]
    return next((left.pop(name) for name in names if isinstance(name, str) and name in left), 0.0)


def _change(base: Evaluation, head: Evaluation, measure: str, threshold: float) -> QualityChange:
    pairs = [
        (getattr(figures, measure), getattr(head.questions[question], measure))
        for question, figures in base.questions.items()
    ]
    before, after = ([max(value, _SMALLEST) for value in side] for side in zip(*pairs, strict=True))
    mean_before, mean_after = statistics.fmean(before), statistics.fmean(after)
    centre = math.log(mean_after) - math.log(mean_before)
    count = len(pairs)
    parts = [new / mean_after - old / mean_before for old, new in zip(before, after, strict=True)]
    error = statistics.stdev(parts) / math.sqrt(count) if count > 1 else math.inf

    def interval(two_sided_error: float) -> tuple[float, float]:
        return interval_of(centre, -t_quantile(max(1, count - 1), two_sided_error / 2) * error if error else 0.0)

    usual, sure = interval(0.05), interval(SUITE_ERROR / len(MEASURES))
    return QualityChange(
        statistics.fmean(old for old, _ in pairs),
        statistics.fmean(new for _, new in pairs),
        ratio_of(centre),
        usual,
        word_of(usual, sure, threshold, "higher"),
    )
