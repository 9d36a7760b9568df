"""Tests that a cached search finds what a search finds, whatever happens in whatever order.

Passages are also added without their vectors, which follow whenever somebody asks for them (``wait``), and searches
compare few of those that wait.

With exact search (``exact=True``, and in a folder by default), additions, updates, deletions, filters and different
numbers of results, with RAGs that are closed and opened again; first two RAGs with separate memory on one folder and
one real Redis, then a process with a folder and its forked children, then two processes and forked children on one real
Chroma server and one Redis.
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
from rag.most_wait import embed_some, let_most_wait

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
NUMBERS = st.integers(0, 2)


class InProcess:
    """One of several RAGs in this process, with separate memory."""

    def __init__(self, redis, namespace, *, exact=True, **where):
        self._cache = SmartCache(redis, None, namespace=namespace, redis_connect_seconds=10, redis_reply_seconds=10)
        self._options = {"cache": self._cache, "model": HashEmbedder(), "exact": exact, **where}
        self._rag = OptimizedRAG(**self._options)
        self._earlier_hits = 0
        self.incomplete = 0

    def call(self, method, **arguments):
        found = embed_some(self._rag) if method == "embed_some" else getattr(self._rag, method)(**arguments)
        self.incomplete += not getattr(found, "complete", True)
        return [result.id for result in found] if isinstance(found, list) else None

    def reopen(self):
        self._earlier_hits = self.hits()
        self._rag.close(wait=False)
        self._rag = OptimizedRAG(**self._options)

    def hits(self):
        return self._earlier_hits + self._rag.get_performance_stats()["cache_hits"]

    def close(self):
        self._rag.close()
        self._cache.close()


class OtherProcess:
    """A RAG in a separate process."""

    def __init__(self, redis, namespace, *, most_wait=False, **where):
        told = {"redis": redis, "namespace": namespace, "rag": where, "most_wait": most_wait}
        program = Path(__file__).with_name("rag_process.py")
        self._process = subprocess.Popen(
            [sys.executable, program, json.dumps(told)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout.readline() == "ready\n"
        self._hits = 0

    def tell(self, method, arguments, *, in_child):
        self._process.stdin.write(json.dumps([method, arguments, in_child]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def call(self, method, **arguments):
        answer = self.tell(method, arguments, in_child=False)
        self._hits += answer["hits"]
        return answer["ids"]

    def reopen(self):
        self.tell("reopen", {}, in_child=False)

    def hits(self):
        return self._hits

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


class ForkedChild:
    """A new child of another process for each call, as with a server that preloads and forks."""

    def __init__(self, parent):
        self._parent = parent
        self._hits = 0

    def call(self, method, **arguments):
        answer = self._parent.tell(method, arguments, in_child=True)
        assert "failed" not in answer, answer
        if "error" in answer:
            assert "was opened before this process was forked" in answer["error"]
            return REFUSED
        self._hits += answer["hits"]
        return answer["ids"]

    def reopen(self):
        """Do nothing: each call has its own process."""

    def hits(self):
        return self._hits

    def close(self):
        """Do nothing: the parent is closed by its owner."""


REFUSED = "refused"


class Interleaving(RuleBasedStateMachine):
    """Several RAGs on one collection, which a subclass chooses.

    ``writers`` of them may write; in the others, a search that is not cached may be refused.
    """

    hits = 0
    writers = None

    def make(self):
        raise NotImplementedError

    @initialize(standing=st.lists(ASKED, min_size=3, max_size=3))
    def open(self, standing):
        self.stack = contextlib.ExitStack()
        self.rags = self.make()
        self.standing = standing
        self.asked = []

    def writer(self, number):
        writers = self.rags[: self.writers]
        return writers[number % len(writers)]

    @rule(writer=NUMBERS, key=IDS, text=TEXTS, metadata=METADATAS)
    def add_or_update(self, writer, key, text, metadata):
        self.writer(writer).call("batch_add_texts", texts=[text], ids=[key], metadatas=[metadata])

    @rule(writer=NUMBERS, texts=st.lists(TEXTS, min_size=1, max_size=6, unique=True))
    def add_several(self, writer, texts):
        self.writer(writer).call("batch_add_texts", texts=texts, batch_size=2)

    @rule(writer=NUMBERS, keys=st.lists(IDS, min_size=1, max_size=3))
    def delete(self, writer, keys):
        self.writer(writer).call("delete", ids=keys)

    @rule(writer=NUMBERS, metadata=METADATAS.filter(bool), where=FILTERS.filter(bool))
    def update_by_filter(self, writer, metadata, where):
        self.writer(writer).call("update", metadata=metadata, where=where)

    @rule(writer=NUMBERS, method=st.sampled_from(["embed_some", "wait"]))
    def compute_vectors(self, writer, method):
        self.writer(writer).call(method)

    @rule(number=NUMBERS)
    def close_and_open_again(self, number):
        self.rags[number % len(self.rags)].reopen()

    @rule(reader=NUMBERS, asked=ASKED)
    def ask(self, reader, asked):
        self.check(reader, asked)
        self.asked.append(asked)

    @precondition(lambda self: self.asked)
    @rule(reader=NUMBERS, data=st.data())
    def ask_again(self, reader, data):
        self.check(reader, data.draw(st.sampled_from(self.asked)))

    @rule(reader=NUMBERS, data=st.data())
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
        reader %= len(self.rags)
        cached = self.rags[reader].call("search_cached", **asked)
        may_be_refused = self.writers is not None and reader >= self.writers
        if not (may_be_refused and cached == REFUSED):
            assert cached == self.writer(reader).call("search", **asked)

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


@pytest.mark.parametrize("how", ["exact", "default", "most wait"])
def test_two_rags_on_one_folder_with_one_redis(redis, how, monkeypatch):
    if how == "most wait":
        let_most_wait(monkeypatch.setattr)
    exact = how == "exact"

    class TwoRags(Interleaving):
        incomplete = 0

        def make(self):
            folder = tempfile.mkdtemp()
            self.stack.callback(shutil.rmtree, folder)
            namespace = uuid.uuid4().hex
            rags = [InProcess(redis, namespace, exact=exact, path=folder) for _ in range(2)]
            for rag in rags:
                self.stack.callback(rag.close)
            if how == "most wait":  # more than the search asks for, so that at least its answer is not complete
                rags[0].call("batch_add_texts", texts=[f"text {number}" for number in range(20)])
                rags[0].call("search_cached", query="query 0", n_results=1)
            return rags

        def teardown(self):
            type(self).incomplete += sum(rag.incomplete for rag in getattr(self, "rags", ()))
            super().teardown()

    run(TwoRags, examples=10, steps=25)
    assert (TwoRags.incomplete > 0) == (how == "most wait")


def test_a_process_with_a_folder_and_its_forked_children(redis):
    class FolderAndChildren(Interleaving):
        writers = 1

        def make(self):
            folder = self.stack.enter_context(tempfile.TemporaryDirectory())
            parent = OtherProcess(redis, uuid.uuid4().hex, most_wait=True, path=folder)
            self.stack.callback(parent.close)
            return [parent, ForkedChild(parent)]

    run(FolderAndChildren, examples=4, steps=15)


@pytest.mark.xdist_group("chroma server")
def test_two_processes_and_forked_children_on_one_server_with_one_redis(redis, chroma_server, monkeypatch):
    let_most_wait(monkeypatch.setattr)
    namespace = uuid.uuid4().hex
    name = f"never-stale-{namespace}"
    where = {"chroma_url": chroma_server, "collection": name, "embedding_cache": False, "exact": True}
    with contextlib.closing(OtherProcess(redis, namespace, most_wait=True, **where)) as other:

        class ThreeProcesses(Interleaving):
            def make(self):
                here = InProcess(redis, namespace, **where)
                self.stack.callback(here.close)
                here.call("delete", ids=list(here.call("search", query="all", n_results=1000)))
                return [here, other, ForkedChild(other)]

        run(ThreeProcesses, examples=6, steps=20)
