from __future__ import annotations

import contextlib
import json
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jarvisperf.rag.texts import content_id, framed, normalise_query

WORDY = st.text().filter(lambda text: text.strip())


@given(st.lists(st.text()), st.lists(st.text()))
def test_different_parts_are_framed_differently(one, other):
    assume(one != other)
    assert framed(*one) != framed(*other)


def test_a_part_cannot_borrow_from_its_neighbour():
    assert framed("ab", "c") != framed("a", "bc") != framed("abc", "")


@given(st.text(), st.text())
def test_different_texts_have_different_ids(one, other):
    assert (content_id(one) == content_id(other)) == (one == other)


METADATA = st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.booleans(), st.lists(st.integers())))


@given(st.text(), METADATA, METADATA)
def test_the_same_text_with_other_metadata_is_another_passage(text, one, other):
    same = repr(sorted(one.items())) == repr(sorted(other.items()))
    assert (content_id(text, one) == content_id(text, other)) == same


@given(st.text(), METADATA)
def test_no_text_can_be_made_to_have_the_id_of_another_with_metadata(text, metadata):
    forged = framed(text, json.dumps({"a": 1, **metadata}, sort_keys=True))
    with contextlib.suppress(UnicodeDecodeError):  # lengths above 127 may not be UTF-8
        assert content_id(forged.decode()) != content_id(text, {"a": 1, **metadata})


def test_no_metadata_in_any_form_gives_one_id():
    assert content_id("a") == content_id("a", None) == content_id("a", {}) != content_id("a", {"x": 1})


@given(WORDY)
def test_a_normalised_query_stays_as_it_is(query):
    once = normalise_query(query)
    assert normalise_query(once) == once


@given(WORDY)
def test_white_space_and_composition_do_not_make_another_query(query):
    decomposed = unicodedata.normalize("NFD", query)
    assert normalise_query(f"\n\t {decomposed}\u00a0 ") == normalise_query(query)


@pytest.mark.parametrize(("one", "other"), [("avô", "avó"), ("não", "nao"), ("US", "us"), ("C", "C++")])
def test_accents_case_and_signs_make_another_query(one, other):
    assert normalise_query(one) != normalise_query(other)


@pytest.mark.parametrize("query", ["", " ", "\n\t\u00a0\u2003"])
def test_a_blank_query_is_refused(query):
    with pytest.raises(ValueError, match="give at least one word"):
        normalise_query(query)


def test_a_query_with_a_lone_surrogate_is_refused_with_its_place():
    with pytest.raises(ValueError, match=r"lone surrogate.*position 2"):
        normalise_query("ab\ud800")


@pytest.mark.parametrize("query", [None, 3, b"bytes", ["list"]])
def test_a_query_of_another_type_is_refused(query):
    with pytest.raises(TypeError, match="give a string"):
        normalise_query(query)
