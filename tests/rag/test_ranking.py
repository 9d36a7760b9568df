from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.rag_lab.questions import OPPOSITES
from jarvisperf.rag.answers.paraphrases import SemanticTier, content_words
from jarvisperf.rag.search.ranking import fused, marginal_relevance
from jarvisperf.rag.store.records import Hit

QUERY = np.array([1.0, 0.0, 0.0])
NEAR = Hit("near", "", {}, 0.0, np.array([1.0, 0.1, 0.0]))
TWIN = Hit("twin", "", {}, 0.0, np.array([1.0, 0.11, 0.0]))
OTHER = Hit("other", "", {}, 0.2, np.array([0.8, -0.6, 0.0]))


def ids(hits):
    return [hit.id for hit in hits]


def test_without_diversity_the_nearest_are_picked():
    assert ids(marginal_relevance(QUERY, [NEAR, TWIN, OTHER], 2, 0.0)) == ["near", "twin"]


def test_with_diversity_a_twin_gives_way_to_something_else():
    assert ids(marginal_relevance(QUERY, [NEAR, TWIN, OTHER], 2, 0.5)) == ["near", "other"]


def test_there_are_never_more_than_there_are():
    assert len(marginal_relevance(QUERY, [NEAR], 5, 0.5)) == 1
    assert marginal_relevance(QUERY, [], 5, 0.5) == []


FLAT = [("a", 0.53), ("b", 0.52), ("c", 0.51), ("d", 0.5)]


def test_a_passage_that_leads_both_rankings_comes_first():
    assert fused([[("a", 3.0), ("b", 2.0), ("c", 1.0)], [("a", 9.0), ("c", 2.0), ("b", 1.0)]], 3)[0] == "a"


def test_a_ranking_with_an_outlier_outweighs_one_whose_scores_hardly_differ():
    assert fused([FLAT, [("d", 9.0), ("c", 1.0), ("b", 1.0), ("a", 1.0)]], 4)[0] == "d"


def test_the_unit_of_a_ranking_does_not_matter():
    words = [("d", 9.0), ("b", 4.0), ("c", 1.0), ("a", 0.5)]
    in_other_units = [(key, 1000 * score) for key, score in words]
    assert fused([FLAT, words], 4) == fused([FLAT, in_other_units], 4)


def test_the_only_passage_with_a_rare_word_comes_first():
    nearest = [(f"p{number:02}", 1 / (1 + number)) for number in range(50)]
    assert fused([nearest, [("rare", 2.0)]], 50)[:2] == ["rare", "p00"]


def test_a_ranking_whose_scores_are_all_equal_says_nothing():
    words = [("c", 3.0), ("a", 2.0), ("b", 1.0)]
    assert fused([[("a", 0.5), ("b", 0.5), ("c", 0.5)], words], 3) == ["c", "a", "b"]


def test_equal_evidence_is_ordered_by_id():
    assert fused([[("b", 1.0), ("a", 1.0)], []], 2) == ["a", "b"]
    assert fused([[], []], 0) == []


SCORES = st.floats(0, 100, allow_subnormal=False)


@given(st.lists(st.dictionaries(st.sampled_from("abcdef"), SCORES), min_size=1, max_size=3), st.integers(0, 8))
def test_no_passage_is_lost_or_repeated(rankings, depth):
    ordered = [sorted(ranking.items(), key=lambda one: -one[1]) for ranking in rankings]
    assert sorted(fused(ordered, depth)) == sorted(set().union(*rankings))


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 100), min_size=1))
def test_one_complete_ranking_keeps_its_order(scores):
    ordered = sorted(scores.items(), key=lambda one: (-one[1], one[0]))
    assert fused([[(key, float(score)) for key, score in ordered]], len(ordered)) == [key for key, _ in ordered]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the capital of France?", "what is capital of france"),
        ("¿Qual é o mar?", "Qual o mar"),
        ("Please, what is an atoll?", "what is atoll"),
    ],
)
def test_case_punctuation_and_what_only_holds_a_sentence_together_may_differ(one, other):
    assert content_words(one) == content_words(other)


@pytest.mark.parametrize(("one", "other"), OPPOSITES)
def test_no_pair_of_opposites_has_the_same_words(one, other):
    assert content_words(one) != content_words(other)


def test_signs_that_stand_alone_are_compared():
    assert content_words("What is ; ?") != content_words("What is : ?")


def test_words_without_content_are_still_compared():
    assert content_words("is the") == ("is", "the")


def test_the_semantic_tier_wants_the_same_words_and_a_near_vector_and_the_same_options():
    tier = SemanticTier(0.9)
    tier.remember("What is the sea?", np.array([1.0, 0.0]), "5")
    assert tier.similar("what is sea", np.array([1.0, 0.1]), "5") == "What is the sea?"
    assert tier.similar("what is sea", np.array([0.0, 1.0]), "5") is None
    assert tier.similar("what is the lake", np.array([1.0, 0.0]), "5") is None
    assert tier.similar("what is sea", np.array([1.0, 0.1]), "3") is None
