"""Tests the corpus: real text, split into chunks."""

from __future__ import annotations

from jarvisperf.bench.corpus import CHUNK_CHARACTERS, QUERIES, reference_chunks


def test_there_are_a_thousand_different_chunks_of_bounded_size():
    chunks = reference_chunks()
    assert len(chunks) >= 1000
    assert len(set(chunks)) == len(chunks)
    assert max(map(len, chunks)) <= CHUNK_CHARACTERS
    assert all(chunk.strip() for chunk in chunks)


def test_there_are_fifty_or_more_different_questions():
    assert len(set(QUERIES)) == len(QUERIES) >= 50
