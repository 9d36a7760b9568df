from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jarvisperf.rag.micro_batch import MicroBatcher


class Model:
    """Notes which texts came together, and whether two threads were ever in it at once."""

    def __init__(self):
        self.batches = []
        self.inside = 0
        self.gate = threading.Event()

    def embed(self, texts):
        assert self.inside == 0
        self.inside += 1
        self.batches.append(list(texts))
        self.gate.wait(10)
        self.inside -= 1
        if "bad" in texts:
            raise ValueError("bad text")
        return [text.upper() for text in texts]


@pytest.fixture
def model():
    return Model()


def together(model, texts, most=32):
    """Ask for all texts at once, the first one alone in the model until all the others wait."""
    batcher = MicroBatcher(model.embed, threading.Lock(), most)
    with ThreadPoolExecutor(len(texts)) as pool:
        first = pool.submit(batcher.vector, texts[0])
        while not model.batches:
            time.sleep(0.001)
        others = [pool.submit(batcher.vector, text) for text in texts[1:]]
        while len(batcher._waiting) < len(others):
            time.sleep(0.001)
        model.gate.set()
        return [first, *others]


def test_texts_that_wait_are_embedded_together_and_each_caller_gets_its_own(model):
    futures = together(model, ["a", "b", "c", "d"])
    assert [future.result() for future in futures] == ["A", "B", "C", "D"]
    assert [sorted(batch) for batch in model.batches] == [["a"], ["b", "c", "d"]]


def test_a_batch_has_a_limit(model):
    futures = together(model, list("abcdef"), most=2)
    assert [future.result() for future in futures] == list("ABCDEF")
    assert max(map(len, model.batches)) == 2


def test_an_error_reaches_everyone_in_the_batch_and_the_next_one_works(model):
    first, *others = together(model, ["a", "b", "bad"])
    assert first.result() == "A"
    for future in others:
        with pytest.raises(ValueError, match="bad text"):
            future.result()
    assert MicroBatcher(model.embed, threading.Lock(), 2).vector("c") == "C"
