"""Tests collections on a real `chroma run`, shared by several clients."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import PROCESS_SECONDS

from jarvisperf.rag import OptimizedRAG, StoreError
from jarvisperf.rag.store.server import ServerHome

OLD, NEW = "cats purr at night", "cats purr"


@pytest.fixture
def server(chroma_server):
    return chroma_server


@pytest.fixture
def name(request):
    """A separate collection for each test."""
    return f"test-{abs(hash(request.node.nodeid))}"


@pytest.fixture
def clients(make_rag, server, name):
    return [make_rag(chroma_url=server, collection=name) for _ in range(2)]


def best(rag):
    found = rag.search("cats purr", n_results=1)
    assert rag.search_cached("cats purr", n_results=1) == found
    return found[0].text


def test_texts_on_a_server_are_found_and_cached(clients, embedder):
    rag, _ = clients
    rag.batch_add_texts([OLD])
    assert best(rag) == OLD
    embedder.queries.clear()
    rag.search_cached("cats purr", n_results=1)
    assert embedder.queries == []


def test_a_write_by_one_client_is_seen_by_the_other_at_once(clients):
    one, other = clients
    one.batch_add_texts([OLD])
    assert best(one) == best(other) == OLD
    other.batch_add_texts([NEW])
    assert best(one) == best(other) == NEW


def test_while_any_client_writes_nobody_uses_the_cache(clients, server, name, embedder):
    rag, _ = clients
    rag.batch_add_texts([OLD])
    assert best(rag) == OLD
    writer = ServerHome(server, name)
    writer.connect()
    other_writer = ServerHome(server, name)
    other_writer.connect()
    collection = writer.read_state().collection
    with writer.writing(collection):
        with other_writer.writing(collection):
            pass
        embedder.queries.clear()
        rag.search_cached("cats purr", n_results=1)
        assert embedder.queries == ["cats purr"]
    writer.disconnect()
    other_writer.disconnect()


def test_the_mark_of_a_client_that_died_is_resolved_when_it_has_stood_for_the_lease(clients, server, name):
    rag, _ = clients
    rag.batch_add_texts([OLD])
    seconds = [0.0]
    home = ServerHome(server, name, clock=lambda: seconds[0], lease_seconds=300)
    home.connect()
    before = home.read_state()
    with home.writing(before.collection):  # as if the writer had died
        assert home.read_state().writing
        seconds[0] = 299
        assert home.read_state().writing
        seconds[0] = 300
        after = home.read_state()
        assert not after.writing
        assert after.heads != before.heads
        assert home.read_state() == after
    home.disconnect()


def test_forked_processes_are_writers_of_their_own(server, name, tmp_path):
    program = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from conftest import WordEmbedder
from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG
from jarvisperf.rag.store.server import ServerHome
cache = SmartCache(None, {str(tmp_path / "shared")!r})
rag = OptimizedRAG(chroma_url={server!r}, collection={name!r}, cache=cache, model=WordEmbedder(), exact=True,
                   embedding_cache=False)
rag.batch_add_texts([{OLD!r}])
rag.search_cached("cats purr", 1)
for text in ({NEW!r}, "dogs"):
    process = os.fork()
    if process == 0:
        status = 1
        try:
            rag.batch_add_texts([text])
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(process, 0)[1] == 0
state = ServerHome({server!r}, {name!r}).read_state()
assert len(state.heads) == 3, state
assert rag.search("cats purr", 1)[0].text == {NEW!r}
assert rag.search_cached("cats purr", 1) == rag.search("cats purr", 1)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=PROCESS_SECONDS
    )
    assert done.returncode == 0, done.stderr


def test_a_forked_child_waits_for_no_lock_that_a_thread_of_its_parent_holds(server, name, tmp_path, require):
    require("bm25s")
    program = f"""
import os, sys, threading
sys.path.insert(0, {str(Path(__file__).parent)!r})
from conftest import WordEmbedder
from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG
rag = OptimizedRAG(chroma_url={server!r}, collection={name!r}, cache=SmartCache(None, None), model=WordEmbedder(),
                   embedding_cache={str(tmp_path / "vectors")!r}, semantic_threshold=0.9)
rag.batch_add_texts([{OLD!r}])
rag.search_cached("cats purr")

def locks_in(one, seen):
    for name, value in vars(one).items():
        if type(value) in (type(threading.Lock()), type(threading.RLock())):
            yield value
        elif type(value).__module__.startswith("jarvisperf.rag") and hasattr(value, "__dict__"):
            if id(value) in seen:
                continue
            seen.add(id(value))
            yield from locks_in(value, seen)

locks = list(locks_in(rag, set()))
assert len(locks) > 10
are_held = threading.Event()

def hold():
    for lock in locks:
        lock.acquire()
    are_held.set()
    threading.Event().wait()

threading.Thread(target=hold, daemon=True).start()
are_held.wait()
process = os.fork()
if process == 0:
    status = 1
    try:
        rag.batch_add_texts([{NEW!r}])
        assert rag.search_cached("cats purr", 1) == rag.search("cats purr", 1)
        assert rag.search("cats purr", hybrid=True)[0].text == {NEW!r}
        assert rag.get_performance_stats()["chunks"] == 2
        status = 0
    finally:
        os._exit(status)
assert os.waitpid(process, 0)[1] == 0
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=PROCESS_SECONDS
    )
    assert done.returncode == 0, done.stderr


def test_a_server_that_is_not_there_is_named(word_embedder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    rag = OptimizedRAG(chroma_url=url, model=word_embedder())
    with pytest.raises(StoreError, match=f"cannot reach the Chroma server at {url}"):
        rag.search("cats")
