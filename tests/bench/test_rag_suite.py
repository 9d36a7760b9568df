"""Tests the RAG suite with a test embedder: what it compares, and that cached answers equal uncached ones in each
part."""

from __future__ import annotations

from itertools import islice

import pytest
from rag.hash_embedder import HashEmbedder

from jarvisperf.bench import RAGBenchmarks
from jarvisperf.bench.rag_replay import zipf

pytestmark = pytest.mark.rag


@pytest.fixture(scope="module")
def parts(require):
    require("chromadb")
    texts = [f"text {number}" for number in range(80)]
    return RAGBenchmarks(model=HashEmbedder(), texts=texts, queries=["one", "two"]).run_full_benchmark_suite()


def test_every_part_says_what_changed(parts):
    expected = {"embedding", "ingestion", "ingestion again", "search", "context", "search from disk", "warm-up"}
    assert expected | {"replay", "recall"} <= set(parts)
    for part in parts.values():
        assert part["ratio"] == part["before"] / part["after"]
        assert part["unit"] == "s"
    assert {name for name, part in parts.items() if part["how"] == "in turns"} == {"embedding", "search", "context"}
    low, high = parts["search"]["interval"]
    assert low < high
    assert parts["ingestion"]["interval"] is None


def test_cached_equals_uncached_in_every_part_that_compares_answers(parts):
    assert {name for name, part in parts.items() if part["same_answer"] is not True} == {"recall"}
    assert parts["replay"]["wrong"] == 0
    assert parts["replay"]["writes"] == 10
    assert parts["recall"]["recall"] == 1.0


def test_an_embedder_that_another_process_lacks_leaves_out_fresh_processes(parts):
    assert "startup" not in parts


def test_by_zipfs_law_the_first_question_comes_most_often():
    asked = list(islice(zipf(["a", "b", "c"], 3000, random_seed=1), 3000))
    assert asked.count("a") > asked.count("b") > asked.count("c") > 0
    assert asked == list(zipf(["a", "b", "c"], 3000, random_seed=1))
