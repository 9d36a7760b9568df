from __future__ import annotations

import pickle

import pytest

from jarvisperf.rag.results import Context, SearchResult
from jarvisperf.rag.search.context import build_context


def result(text, **metadata):
    return SearchResult(id=text + str(metadata), text=text, score=0.5, metadata=metadata, source=metadata.get("source"))


def test_passages_are_numbered_and_name_their_source_and_section():
    context = build_context([result("one", source="a.md", section="S"), result("two", source="b.md"), result("three")])
    assert context == "[1] a.md, S\none\n\n[2] b.md\ntwo\n\n[3]\nthree"


def test_the_same_text_is_told_once_at_its_best_place():
    context = build_context([result("one", source="a"), result("two"), result("one", source="b")])
    assert context == "[1] a\none\n\n[2]\ntwo"


def test_no_passages_give_an_empty_context():
    assert build_context([]) == ""


def test_a_caller_cannot_change_what_others_are_told_about_a_cached_context(rag):
    rag.batch_add_texts(["cats purr"])
    context = rag.generate_context_cached("cats")
    with pytest.raises(AttributeError, match="a context is read-only"):
        context.complete = False
    assert rag.generate_context_cached("cats").complete
    assert pickle.loads(pickle.dumps(context)) == context


def test_an_incomplete_context_is_a_copy_that_says_so():
    whole = Context("[1]\ncats purr")
    incomplete = whole.incomplete("the service is down")
    assert (incomplete, incomplete.complete, incomplete.problem) == (whole, False, "the service is down")
    assert pickle.loads(pickle.dumps(incomplete)).problem == "the service is down"
    assert whole.complete
