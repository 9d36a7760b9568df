"""The corpus: real text, in chunks."""

from __future__ import annotations

from jarvisperf.bench.corpus import ANSWER_TOPICS, CHUNK_CHARACTERS, QUERIES, reference_chunks, topics_of_chunks


def test_there_are_a_thousand_different_chunks_of_bounded_size():
    chunks = reference_chunks()
    assert len(chunks) >= 1000
    assert len(set(chunks)) == len(chunks)
    assert max(map(len, chunks)) <= CHUNK_CHARACTERS
    assert all(chunk.strip() for chunk in chunks)


def test_there_are_fifty_or_more_different_questions():
    assert len(set(QUERIES)) == len(QUERIES) >= 50


def test_each_question_has_topics_that_answer_it_and_are_in_the_corpus():
    there = frozenset().union(*topics_of_chunks().values())
    assert len(ANSWER_TOPICS) == len(QUERIES)
    assert all(topics and topics <= there for topics in ANSWER_TOPICS)
