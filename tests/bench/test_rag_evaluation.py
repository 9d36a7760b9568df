"""Tests that an evaluation measures what a search finds, and that its comparison decides as the gate does."""

from __future__ import annotations

import json
import random

import pytest

from jarvisperf.bench.rag_evaluation import Evaluation, Figures, compare_evaluations, evaluate_rag, load, save
from jarvisperf.bench.rag_questions import GradedQuestion, QuestionsError, read_questions
from jarvisperf.rag.results import SearchResult

FULL = Figures(1.0, 1.0, 1.0)
NONE = Figures(0.0, 0.0, 0.0)


class FakeRag:
    """Finds the ids that are listed for a question."""

    def __init__(self, found):
        self.found = found
        self.options = None

    def search_many(self, queries, n_results, **options):
        self.options = options
        return [[result_of(one) for one in self.found[query][:n_results]] for query in queries]


def result_of(found):
    key, source, path = (*found, None, None)[:3] if isinstance(found, tuple) else (found, None, None)
    metadata = {} if path is None else {"source": path}
    return SearchResult(id=key, text="", score=0.0, metadata=metadata, source=source)


def evaluation(figures, depth=10):
    return Evaluation(depth=depth, questions={f"question {number}": one for number, one in enumerate(figures)})


def verdict(base, head, threshold=0.05):
    return compare_evaluations(evaluation(base), evaluation(head), threshold)["ndcg"].verdict


def hit_or_miss(count, share, seed=1):
    chosen = random.Random(seed)
    return [FULL if chosen.random() < share else NONE for _ in range(count)]


def test_each_question_is_measured_on_what_the_search_returns():
    rag = FakeRag({"first": ["a", "b"], "second": ["x", "c"], "third": ["x", "y"]})
    questions = [
        GradedQuestion("first", {"a": 1.0}),
        GradedQuestion("second", {"c": 1.0, "d": 1.0}),
        GradedQuestion("third", {"e": 1.0}),
    ]
    found = evaluate_rag(rag, questions, 2, hybrid=True)
    assert rag.options == {"hybrid": True}
    assert found.values("recall") == [1.0, 0.5, 0.0]
    assert found.values("mrr") == [1.0, 0.5, 0.0]
    assert found.mean("mrr").value == pytest.approx(0.5)
    assert found.unanswered == ["third"]


@pytest.mark.parametrize("name", ["passage-7", "guide.md", "/docs/guide.md"])
def test_what_is_relevant_may_be_named_by_id_by_source_or_by_path(name):
    rag = FakeRag({"question": [("passage-7", "guide.md", "/docs/guide.md")]})
    assert evaluate_rag(rag, [GradedQuestion("question", {name: 1.0})]).values("ndcg") == [1.0]


def test_a_second_passage_of_the_same_source_does_not_count_again():
    rag = FakeRag({"question": [("p1", "a.md"), ("p2", "a.md"), ("p3", "b.md")]})
    found = evaluate_rag(rag, [GradedQuestion("question", {"a.md": 1.0, "b.md": 1.0})], 2)
    assert found.values("recall") == [0.5]


def test_an_empty_collection_is_an_error_not_a_quality_of_0():
    with pytest.raises(QuestionsError, match="the collection is empty"):
        evaluate_rag(FakeRag({"question": []}), [GradedQuestion("question", {"a": 1.0})])


def test_the_same_figures_are_unchanged():
    figures = hit_or_miss(50, 0.7)
    changes = compare_evaluations(evaluation(figures), evaluation(figures))
    assert {change.verdict for change in changes.values()} == {"unchanged"}
    assert changes["recall"].interval == (1.0, 1.0)


def test_many_questions_that_lose_their_answer_are_a_regression():
    base = hit_or_miss(100, 0.9)
    assert verdict(base, [NONE if number % 3 == 0 else one for number, one in enumerate(base)]) == "regressed"


def test_many_questions_that_gain_one_are_an_improvement():
    head = hit_or_miss(100, 0.9)
    assert verdict([NONE if number % 3 == 0 else one for number, one in enumerate(head)], head) == "improved"


def test_one_of_few_questions_decides_nothing():
    assert verdict([FULL] * 10, [*[FULL] * 9, NONE]) == "inconclusive"
    assert verdict([FULL], [NONE]) == "inconclusive"


def test_finding_nothing_any_more_is_a_regression_although_0_has_no_logarithm():
    assert verdict(hit_or_miss(50, 0.8), [NONE] * 50) == "regressed"
    assert verdict([NONE] * 50, hit_or_miss(50, 0.8)) == "improved"
    assert verdict([NONE] * 50, [NONE] * 50) == "unchanged"


def test_a_loss_within_the_threshold_is_unchanged():
    base = hit_or_miss(400, 0.9)
    first = base.index(FULL)
    assert verdict(base, [*base[:first], NONE, *base[first + 1 :]], threshold=0.05) == "unchanged"


def test_pairs_cancel_what_makes_a_question_hard():
    hard = [Figures(0.0, value, value) for value in (0.2, 0.9, 0.4, 1.0, 0.3) * 20]
    slightly_worse = [Figures(0.0, one.mrr, one.ndcg * 0.9) for one in hard]
    assert verdict(hard, slightly_worse) == "regressed"


def test_different_questions_or_depths_are_not_compared():
    with pytest.raises(QuestionsError, match="1 questions are in only one of the evaluations"):
        compare_evaluations(evaluation([FULL]), evaluation([FULL, FULL]))
    with pytest.raises(QuestionsError, match="count 10 and 5 results: evaluate with the same -n"):
        compare_evaluations(evaluation([FULL]), evaluation([FULL], depth=5))


def test_a_saved_evaluation_is_read_back(tmp_path):
    saved = evaluation([FULL, NONE])
    save(saved, tmp_path / "base.json")
    assert load(tmp_path / "base.json") == saved


@pytest.mark.parametrize("content", ["", "[]", '{"depth": 3, "questions": {}}', '{"schema": "x", "depth": 3}'])
def test_another_file_is_not_taken_for_an_evaluation(tmp_path, content):
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(QuestionsError, match=r"other\.json is not a saved evaluation"):
        load(tmp_path / "other.json")
    with pytest.raises(QuestionsError, match=r"missing\.json is not a saved evaluation: No such file"):
        load(tmp_path / "missing.json")


def test_a_file_of_questions_has_lists_or_grades(tmp_path):
    file = tmp_path / "questions.jsonl"
    lines = [{"question": "a?", "relevant": ["x", "y"], "answer": "ignored"}, {"question": "b?", "relevant": {"x": 3}}]
    file.write_text("\ufeff" + "\n\n".join(map(json.dumps, lines)))
    assert read_questions(file) == [GradedQuestion("a?", {"x": 1.0, "y": 1.0}), GradedQuestion("b?", {"x": 3.0})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "contains no questions"),
        ("{", "line 1 is not JSON"),
        ('["a"]', 'line 1 has no "question"'),
        ('{"question": " ", "relevant": ["x"]}', 'line 1 has no "question"'),
        ('{"question": "a?", "relevent": ["x"]}', 'line 1 has no "relevant" sources or ids'),
        ('{"question": "a?", "relevant": []}', 'line 1 has no "relevant" sources or ids'),
        ('{"question": "a?", "relevant": [1]}', 'line 1 has no "relevant" sources or ids'),
        ('{"question": "a?", "relevant": {"x": 0}}', "line 1: the grade of 'x' is 0: give a number above 0"),
        ('{"question": "a?", "relevant": ["x"]}\n' * 2, "line 2: the question 'a.' is there twice"),
    ],
)
def test_a_line_that_is_no_question_is_named(tmp_path, content, message):
    file = tmp_path / "questions.jsonl"
    file.write_text(content)
    with pytest.raises(QuestionsError, match=message):
        read_questions(file)


def test_a_missing_file_of_questions_is_named(tmp_path):
    with pytest.raises(QuestionsError, match=r"cannot read .*: No such file"):
        read_questions(tmp_path / "missing.jsonl")
