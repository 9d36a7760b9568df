from __future__ import annotations

import itertools
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jarvisperf.rag.embedding import micro_batch
from jarvisperf.rag.embedding.micro_batch import MicroBatcher

WAIT_SECONDS = 60


class Model:
    """Records which texts came in one batch, and whether two threads ever used it at once."""

    def __init__(self):
        self.batches = []
        self.inside = 0
        self.gate = threading.Event()

    def embed(self, texts):
        assert self.inside == 0
        self.inside += 1
        self.batches.append(list(texts))
        self.gate.wait(WAIT_SECONDS)
        self.inside -= 1
        if "bad" in texts:
            raise ValueError("bad text")
        return [text.upper() for text in texts]


class Door:
    """A lock that counts the threads that reach it, and admits other threads only once it is open."""

    def __init__(self, *, is_open=True):
        self.arrivals = itertools.count()
        self.arrived = 0
        self.open = threading.Event()
        if is_open:
            self.open.set()
        self._lock = threading.Lock()

    def __enter__(self):
        self.arrived = next(self.arrivals) + 1
        if threading.current_thread() is not threading.main_thread():
            assert self.open.wait(WAIT_SECONDS)
        self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()

    def wait_for(self, count):
        while self.arrived < count:
            time.sleep(0.001)


@pytest.fixture
def model():
    return Model()


def at_once(model, texts, max_batch=32):
    """Request all texts at once; the first one stays in the model until all others wait."""
    door = Door()
    batcher = MicroBatcher(model.embed, door, max_batch)
    with ThreadPoolExecutor(len(texts)) as pool:
        first = pool.submit(batcher.vector, texts[0])
        while not model.batches:
            time.sleep(0.001)
        others = [pool.submit(batcher.vector, text) for text in texts[1:]]
        door.wait_for(len(texts))
        model.gate.set()
        return [first, *others]


def test_texts_that_wait_are_embedded_as_one_batch_and_each_caller_gets_its_own(model):
    futures = at_once(model, ["a", "b", "c", "d"])
    assert [future.result() for future in futures] == ["A", "B", "C", "D"]
    assert [sorted(batch) for batch in model.batches] == [["a"], ["b", "c", "d"]]


def test_a_batch_has_a_limit(model):
    futures = at_once(model, list("abcdef"), max_batch=2)
    assert [future.result() for future in futures] == list("ABCDEF")
    assert max(map(len, model.batches)) == 2


def test_an_error_reaches_everyone_in_the_batch_and_the_next_one_works(model):
    first, *others = at_once(model, ["a", "b", "bad"])
    assert first.result() == "A"
    for future in others:
        with pytest.raises(ValueError, match="bad text"):
            future.result()
    assert MicroBatcher(model.embed, threading.Lock(), 2).vector("c") == "C"


def test_a_text_that_arrives_while_a_batch_is_assembled_is_not_lost_whatever_the_moment():
    with ThreadPoolExecutor(1) as pool:
        for moment in itertools.count():
            door = Door()
            batcher = MicroBatcher(lambda texts: [text.upper() for text in texts], door, 32)
            steps = itertools.count()
            late = []

            def arrive(frame, event, _, batcher=batcher, door=door, late=late, steps=steps, moment=moment):
                frame.f_trace_opcodes = frame.f_code.co_filename == micro_batch.__file__
                if event == "opcode" and next(steps) == moment:
                    before = door.arrived
                    late.append(pool.submit(batcher.vector, "late"))
                    door.wait_for(before + 1)
                return arrive

            tracer = sys.gettrace()
            sys.settrace(arrive)
            try:
                assert batcher.vector("first") == "FIRST"
            finally:
                sys.settrace(tracer)
            if not late:
                break
            assert late[0].result(WAIT_SECONDS) == "LATE"
    assert moment > 10


def test_after_an_interrupt_the_others_are_served_in_their_order():
    door = Door(is_open=False)
    batches = []

    def embed(texts):
        batches.append(list(texts))
        if len(batches) == 1:
            raise KeyboardInterrupt
        return [text.upper() for text in texts]

    batcher = MicroBatcher(embed, door, 3)
    with ThreadPoolExecutor(2) as pool:
        others = []
        for number, text in enumerate("ab", 1):
            others.append(pool.submit(batcher.vector, text))
            door.wait_for(number)
        with pytest.raises(KeyboardInterrupt):
            batcher.vector("c")
        door.open.set()
        assert [other.result(WAIT_SECONDS) for other in others] == ["A", "B"]
    assert batches == [["a", "b", "c"], ["a", "b"]]
