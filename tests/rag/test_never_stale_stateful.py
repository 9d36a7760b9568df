"""Tests that a cached search finds what a search finds, whatever happens in whatever order.

With exact search (``exact=True``, and in a folder by default), additions, updates, deletions, filters and different
numbers of results; first two RAGs with separate memory on one folder and one real Redis, then two processes on one
real Chroma server and one Redis.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from rag.hash_embedder import HashEmbedder

from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG

IDS = st.sampled_from([f"id{number}" for number in range(12)])
TEXTS = st.sampled_from([f"text {number}" for number in range(40)])
METADATAS = st.sampled_from([None, {"group": "a"}, {"group": "b"}, {"group": "a", "year": 1}, {"year": 2}])
QUERIES = st.sampled_from([f"query {number}" for number in range(4)])
FILTERS = st.sampled_from(
    [
        None,
        {"group": "a"},
        {"group": {"$ne": "a"}},
        {"year": {"$gte": 2}},
        {"year": {"$gte": 1.5}},
        {"$and": [{"group": "a"}, {"year": {"$in": [1, 2]}}]},
        {"$or": [{"group": "b"}, {"year": 2}]},
    ]
)
OPTIONS = {
    "query": QUERIES,
    "n_results": st.one_of(st.integers(1, 4), st.sampled_from([251, 1001])),
    "where": FILTERS,
    "where_document": st.sampled_from([None, None, None, {"$contains": "1"}, {"$not_contains": "2"}]),
    "min_score": st.sampled_from([None, None, 0.0, 0.3]),
    "diversity": st.sampled_from([None, None, None, 0.5]),
    "hybrid": st.sampled_from([False, False, False, False, True]),
}
ASKED = st.fixed_dictionaries(OPTIONS)
WRITERS = st.integers(0, 1)


class InProcess:
    """One of several RAGs in this process, with separate memory."""

    def __init__(self, redis, namespace, *, exact=True, **where):
        self._cache = SmartCache(redis, None, namespace=namespace, redis_connect_seconds=10, redis_reply_seconds=10)
        self._rag = OptimizedRAG(cache=self._cache, model=HashEmbedder(), exact=exact, **where)

    def call(self, method, **arguments):
        found = getattr(self._rag, method)(**arguments)
        return [result.id for result in found] if isinstance(found, list) else None

    def hits(self):
        return self._rag.get_performance_stats()["cache_hits"]

    def close(self):
        self._rag.close()
        self._cache.close()


class OtherProcess:
    """A RAG in a separate process."""

    def __init__(self, redis, namespace, **where):
        told = {"redis": redis, "namespace": namespace, "rag": {"exact": True, **where}}
        program = Path(__file__).with_name("rag_process.py")
        self._process = subprocess.Popen(
            [sys.executable, program, json.dumps(told)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout.readline() == "ready\n"
        self._hits = 0

    def call(self, method, **arguments):
        self._process.stdin.write(json.dumps([method, arguments]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        self._hits = answer["hits"]
        return answer["ids"]

    def hits(self):
        return self._hits

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


class Interleaving(RuleBasedStateMachine):
    """Two RAGs on one collection, which a subclass chooses."""

    hits = 0

    def make(self):
        raise NotImplementedError

    @initialize(standing=st.lists(ASKED, min_size=3, max_size=3))
    def open(self, standing):
        self.stack = contextlib.ExitStack()
        self.rags = self.make()
        self.standing = standing
        self.asked = []

    @rule(writer=WRITERS, key=IDS, text=TEXTS, metadata=METADATAS)
    def add_or_update(self, writer, key, text, metadata):
        self.rags[writer].call("batch_add_texts", texts=[text], ids=[key], metadatas=[metadata])

    @rule(writer=WRITERS, texts=st.lists(TEXTS, min_size=1, max_size=6, unique=True))
    def add_several(self, writer, texts):
        self.rags[writer].call("batch_add_texts", texts=texts, batch_size=2)

    @rule(writer=WRITERS, keys=st.lists(IDS, min_size=1, max_size=3))
    def delete(self, writer, keys):
        self.rags[writer].call("delete", ids=keys)

    @rule(reader=WRITERS, asked=ASKED)
    def ask(self, reader, asked):
        self.check(reader, asked)
        self.asked.append(asked)

    @precondition(lambda self: self.asked)
    @rule(reader=WRITERS, data=st.data())
    def ask_again(self, reader, data):
        self.check(reader, data.draw(st.sampled_from(self.asked)))

    @rule(reader=WRITERS, data=st.data())
    def ask_the_same_but_for_one_thing(self, reader, data):
        asked = data.draw(st.sampled_from([*self.standing, *self.asked]))
        name = data.draw(st.sampled_from(list(OPTIONS)))
        other = {**asked, name: data.draw(OPTIONS[name])}
        self.check(reader, asked)
        self.check(reader, other)
        self.asked.append(other)

    @invariant()
    def what_is_asked_all_along_and_what_was_asked_last_is_still_answered_right(self):
        for asked in [*self.standing, *self.asked[-1:]]:
            self.check(0, asked)

    def check(self, reader, asked):
        rag = self.rags[reader]
        assert rag.call("search_cached", **asked) == rag.call("search", **asked)

    def teardown(self):
        if hasattr(self, "rags"):
            type(self).hits += sum(rag.hits() for rag in self.rags)
            self.stack.close()


def run(machine, examples, steps):
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    how = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks, print_blob=True
    )
    run_state_machine_as_test(machine, settings=how)
    assert machine.hits > examples  # otherwise it proved nothing


@pytest.fixture
def redis(require, redis_url):
    require("chromadb")
    return redis_url


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "default"])
def test_two_rags_on_one_folder_with_one_redis(redis, exact):
    class TwoRags(Interleaving):
        def make(self):
            folder = tempfile.mkdtemp()
            self.stack.callback(shutil.rmtree, folder)
            namespace = uuid.uuid4().hex
            rags = [InProcess(redis, namespace, exact=exact, path=folder) for _ in range(2)]
            for rag in rags:
                self.stack.callback(rag.close)
            return rags

    run(TwoRags, examples=15, steps=25)


@pytest.mark.xdist_group("chroma server")
def test_two_processes_on_one_server_with_one_redis(redis, chroma_server):
    namespace = uuid.uuid4().hex
    name = f"never-stale-{namespace}"
    where = {"chroma_url": chroma_server, "collection": name, "embedding_cache": False}
    with contextlib.closing(OtherProcess(redis, namespace, **where)) as other:

        class TwoProcesses(Interleaving):
            def make(self):
                here = InProcess(redis, namespace, **where)
                self.stack.callback(here.close)
                here.call("delete", ids=list(here.call("search", query="all", n_results=1000)))
                return [here, other]

        run(TwoProcesses, examples=6, steps=20)
