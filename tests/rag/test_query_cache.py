from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jarvisperf.rag.generation import State
from jarvisperf.rag.query_cache import AnswerForm, Question, answer, answer_key

QUESTIONS = st.builds(
    Question,
    kind=st.sampled_from(["search", "context"]),
    query=st.text(),
    n_results=st.integers(1, 10**6),
    model=st.text(),
)
STATES = st.builds(State, collection=st.text(), generation=st.text(), writing=st.just(False))
ASKED = st.tuples(QUESTIONS, STATES)
FORM = AnswerForm(str, lambda kept: kept if isinstance(kept, str) else None)
QUESTION = Question("search", "q", 5, "m")


class Shelf(dict):
    def set(self, key, value, *, ttl):
        self[key] = value


def state(generation="g", *, writing=False):
    return State("c", generation, writing)


@given(ASKED, ASKED)
def test_whatever_an_answer_depends_on_is_in_its_key(one, other):
    assume(one != other)
    assert answer_key(*one) != answer_key(*other)


@given(ASKED)
def test_the_same_question_in_the_same_state_has_the_same_key(asked):
    assert answer_key(*asked) == answer_key(*asked)


@pytest.mark.parametrize("now", [None, state(writing=True)])
def test_the_cache_is_neither_read_nor_written_while_the_state_is_not_sure(now):
    shelf = Shelf({answer_key(QUESTION, state()): "kept"})
    before = dict(shelf)
    found = answer(QUESTION, shelf, lambda: now, FORM, lambda: "computed", 60)
    assert (found.value, found.from_cache, found.key) == ("computed", False, None)
    assert shelf == before


@pytest.mark.parametrize("later", [None, state("h"), state(writing=True)])
def test_an_answer_that_was_computed_while_the_state_changed_is_not_kept(later):
    states = iter([state(), later])
    shelf = Shelf()
    assert answer(QUESTION, shelf, lambda: next(states), FORM, lambda: "computed", 60).value == "computed"
    assert not shelf


def test_an_answer_is_found_again_in_the_same_generation_only():
    shelf = Shelf()
    assert not answer(QUESTION, shelf, lambda: state("g"), FORM, lambda: "one", 60).from_cache
    assert answer(QUESTION, shelf, lambda: state("g"), FORM, lambda: "two", 60).value == "one"
    assert answer(QUESTION, shelf, lambda: state("h"), FORM, lambda: "two", 60).value == "two"


def test_a_cached_value_of_another_form_is_a_miss_and_is_replaced():
    shelf = Shelf({answer_key(QUESTION, state()): 17})
    assert answer(QUESTION, shelf, state, FORM, lambda: "computed", 60).value == "computed"
    assert answer(QUESTION, shelf, state, FORM, lambda: "other", 60).value == "computed"
