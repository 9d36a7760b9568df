"""Tests that waiting passages are ranked by words as an index over exactly those that wait would rank them."""

from __future__ import annotations

import random

import pytest

from jarvisperf.rag.search import waiting_words
from jarvisperf.rag.search.waiting_words import WaitingWords
from jarvisperf.rag.store.waiting import WaitingPassage

VOCABULARY = ["cat", "dog", "bird", "fish", "night", "dawn", "purr", "bark"]


class Passages:
    """A store's waiting passages."""

    def __init__(self):
        self.texts = {}

    def add(self, key, text, token="1"):
        self.texts[key] = WaitingPassage(key, text, {}, token)

    def waiting_passages(self, ids):
        return [self.texts[key] for key in ids if key in self.texts]

    def waiting(self):
        return {key: passage.token for key, passage in self.texts.items()}


@pytest.fixture
def passages():
    return Passages()


@pytest.fixture
def best(passages):
    index = WaitingWords(passages)
    return lambda query, count=100: index.best(query, count, passages.waiting(), list(passages.texts))


def by_bm25s(passages, query):
    import bm25s

    ids = list(passages.texts)
    ranker = bm25s.BM25(dtype="float64")
    ranker.index([passages.texts[key].text.split() for key in ids], show_progress=False)
    known = [word for word in sorted(set(query.split())) if word in ranker.vocab_dict]
    scores = ranker.get_scores(known) if known else [0.0] * len(ids)
    return sorted(ids, key=lambda key: (-round(float(scores[ids.index(key)]), 6), key))


@pytest.mark.parametrize("remains", [waiting_words._FEWEST_REMAINS, 0])
def test_the_order_is_that_of_bm25s_while_passages_come_go_and_change(passages, best, require, monkeypatch, remains):
    require("bm25s")
    monkeypatch.setattr(waiting_words, "_FEWEST_REMAINS", remains)
    choice = random.Random(18)
    for step in range(60):
        key = f"{choice.randrange(25):02}"
        if choice.random() < 0.3:
            passages.texts.pop(key, None)
        else:
            passages.add(key, " ".join(choice.choices(VOCABULARY, k=choice.randint(1, 9))), token=str(step))
        query = " ".join(choice.sample(VOCABULARY, 3))
        if passages.texts:
            assert best(query) == by_bm25s(passages, query)


def test_words_are_compared_without_case_and_accents(passages, best):
    passages.add("1", "São Paulo")
    passages.add("0", "Lisboa")
    assert best("sao", 1) == ["1"]


def test_only_some_may_be_returned(passages):
    for key in "abc":
        passages.add(key, "cat")
    assert WaitingWords(passages).best("cat", 5, passages.waiting(), ["c", "b"]) == ["b", "c"]
