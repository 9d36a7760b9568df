"""Tests which prompt of a model's configuration belongs to a query and which to a document."""

from __future__ import annotations

import pytest

from jarvisperf.rag.embedding.prompts import prompts_of_roles


@pytest.mark.parametrize(
    ("named", "query", "document"),
    [
        pytest.param({"query": "query: ", "passage": "passage: "}, "query: ", "passage: ", id="e5"),
        pytest.param(
            {"query": "search_query: ", "passage": "search_document: ", "Clustering": "clustering: "},
            "search_query: ",
            "search_document: ",
            id="nomic, by role",
        ),
        pytest.param({"search_query": "q: ", "search_document": "d: "}, "q: ", "d: ", id="nomic, by task"),
        pytest.param({"query": "Instruct: find\nQuery:", "document": ""}, "Instruct: find\nQuery:", "", id="Qwen"),
        pytest.param({"query": "Represent this sentence: "}, "Represent this sentence: ", "", id="bge"),
        pytest.param({"query": "", "document": "", "passage": "p: "}, "", "p: ", id="an empty default"),
        pytest.param({"retrieval.query": "q: ", "retrieval.passage": "p: "}, "q: ", "p: ", id="jina"),
        pytest.param({"STS": "similar: "}, "", "", id="other tasks only"),
        pytest.param({}, "", "", id="none"),
    ],
)
def test_each_family_names_its_prompts_in_its_own_way(named, query, document):
    assert prompts_of_roles(named, None) == {"query": query, "document": document}


def test_the_callers_prompts_take_precedence_even_if_empty():
    named = {"query": "query: ", "passage": "passage: "}
    assert prompts_of_roles(named, {"query": "ask: "}) == {"query": "ask: ", "document": "passage: "}
    assert prompts_of_roles(named, {"document": ""}) == {"query": "query: ", "document": ""}
