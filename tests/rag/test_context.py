from __future__ import annotations

from jarvisperf.rag.results import SearchResult
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
