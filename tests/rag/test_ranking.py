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


def test_what_both_lists_have_comes_first():
    assert fused([["a", "b", "c"], ["d", "b"]])[0] == "b"


@given(st.lists(st.permutations("abcd"), min_size=1, max_size=3))
def test_one_list_keeps_its_order_and_none_is_lost(rankings):
    assert sorted(fused(rankings)) == list("abcd")
    assert fused([rankings[0]]) == list(rankings[0])


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
