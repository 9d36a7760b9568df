from __future__ import annotations

import itertools
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jarvisperf.rag.embedding.micro_batch import MicroBatcher, _Waiting


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


def test_a_text_that_comes_while_a_batch_is_put_together_is_not_lost_whatever_the_moment():
    for moment in itertools.count():
        batcher = MicroBatcher(lambda texts: [text.upper() for text in texts], threading.Lock(), 32)
        late = _Waiting("late")
        steps = itertools.count()

        def arrive(frame, event, _, batcher=batcher, late=late, steps=steps, moment=moment):
            frame.f_trace_opcodes = frame.f_code.co_name == "_serve"
            if event == "opcode" and next(steps) == moment:
                batcher._waiting.append(late)
            return arrive

        tracer = sys.gettrace()
        sys.settrace(arrive)
        try:
            assert batcher.vector("first") == "FIRST"
        finally:
            sys.settrace(tracer)
        if next(steps) <= moment:
            break
        assert late.served or late in batcher._waiting
    assert moment > 10


def test_after_an_interrupt_the_others_still_wait_in_their_order(model):
    batcher = MicroBatcher(model.embed, threading.Lock(), 3)
    others = [_Waiting("a"), _Waiting("b")]
    batcher._waiting.extend(others)

    def interrupted(texts):
        raise KeyboardInterrupt

    batcher._embed = interrupted
    with pytest.raises(KeyboardInterrupt):
        batcher.vector("c")
    assert list(batcher._waiting) == others
