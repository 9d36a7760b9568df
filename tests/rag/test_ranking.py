from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.rag.found import Hit
from jarvisperf.rag.ranking import fused, marginal_relevance
from jarvisperf.rag.semantic import SemanticTier, content_words, same_words

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


def test_what_both_lists_have_comes_first():
    assert fused([["a", "b", "c"], ["d", "b"]])[0] == "b"


@given(st.lists(st.permutations("abcd"), min_size=1, max_size=3))
def test_one_list_keeps_its_order_and_none_is_lost(rankings):
    assert sorted(fused(rankings)) == list("abcd")
    assert fused([rankings[0]]) == list(rankings[0])


def test_articles_case_and_punctuation_may_differ_and_nothing_else():
    assert same_words("What is the capital of France?", "what is capital of france")
    for one, other in [
        ("How do I enable it?", "How do I disable it?"),
        ("Is it safe?", "Is it not safe?"),
        ("É seguro?", "Não é seguro?"),
        ("Onde mora o avô?", "Onde mora a avó?"),
        ("euros to dollars", "dollars to euros"),
        ("prices in 2020", "prices in 2021"),
    ]:
        assert not same_words(one, other)


def test_words_without_content_are_still_compared():
    assert content_words("is the") == ("is", "the")


def test_the_semantic_tier_wants_the_same_words_and_a_near_vector_and_the_same_options():
    tier = SemanticTier(0.9)
    tier.remember("What is the sea?", np.array([1.0, 0.0]), "5")
    assert tier.similar("what is sea", np.array([1.0, 0.1]), "5") == "What is the sea?"
    assert tier.similar("what is sea", np.array([0.0, 1.0]), "5") is None
    assert tier.similar("what is the lake", np.array([1.0, 0.0]), "5") is None
    assert tier.similar("what is sea", np.array([1.0, 0.1]), "3") is None
