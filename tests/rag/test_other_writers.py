"""Tests that cached answers notice what other programs write to the same Chroma folder or server."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys

import chromadb
import pytest

from jarvisperf.rag import OptimizedRAG, ServerOptions
from jarvisperf.rag.store.nearest import passages

QUERY = "Who is the president of the club?"
ANA, BRUNO = "The president of the club is Ana.", "The president of the club is Bruno."


def answers(rag):
    """What a cached search finds, after checking that it is what a search finds."""
    cached = [found.text for found in rag.search_cached(QUERY)]
    assert cached == [found.text for found in rag.search(QUERY)]
    return cached


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "chroma"


@pytest.fixture
def own_client(folder):
    """A client of chromadb itself in the same folder, as in another program."""

    def opened():
        settings = chromadb.config.Settings(anonymized_telemetry=False)
        return chromadb.PersistentClient(str(folder), settings=settings)

    return opened


def test_a_folder_that_was_served_in_between_and_served_again(make_rag, folder, serving):
    def by(text, **where):
        with make_rag(**where) as rag:
            answers(rag)
            if text is not None:
                rag.batch_add_texts([text], ids=["president"])
            return answers(rag)

    with make_rag() as rag:
        rag.batch_add_texts([ANA], ids=["president"])
        assert answers(rag) == [ANA]
    with serving(folder) as url:
        assert by(BRUNO, chroma_url=url) == [BRUNO]
    assert by(None) == [BRUNO]
    assert by(ANA) == [ANA]
    with serving(folder) as url:
        assert by(None, chroma_url=url) == [ANA]


def test_reading_a_folder_through_a_server_keeps_its_answers(make_rag, folder, serving, embedder):
    with make_rag() as rag:
        rag.batch_add_texts([ANA], ids=["president"])
        answers(rag)
    with serving(folder) as url, make_rag(chroma_url=url) as rag:
        rag.search_cached("another question")
    embedder.queries.clear()
    with make_rag() as rag:
        rag.search_cached(QUERY)
        assert embedder.queries == []


@pytest.mark.parametrize(
    "write",
    [
        lambda collection, vector: collection.update(ids=["president"], documents=[BRUNO], embeddings=[vector]),
        lambda collection, vector: collection.upsert(ids=["new"], documents=[BRUNO], embeddings=[vector]),
        lambda collection, vector: collection.delete(ids=["president"]),
        lambda collection, vector: collection.update(ids=["president"], metadatas=[{"year": 2020}]),
    ],
    ids=["update", "add", "delete", "metadata"],
)
@pytest.mark.parametrize("is_open", [True, False])
def test_a_write_with_the_users_own_client(make_rag, own_client, embedder, write, is_open):
    rag = make_rag()
    rag.batch_add_texts([ANA], ids=["president"])
    answers(rag)
    if not is_open:
        rag.close()
        rag = make_rag()
    with own_client() as client:
        collection = client.get_collection("documents", embedding_function=None)
        write(collection, embedder.embed_documents([BRUNO])[0])
    assert rag.search_cached(QUERY) == rag.search(QUERY)


OTHER_PROCESS = """
import json, sys
import chromadb
folder, method, arguments = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
settings = chromadb.config.Settings(anonymized_telemetry=False)
with chromadb.PersistentClient(folder, settings=settings) as client:
    getattr(client.get_collection("documents", embedding_function=None), method)(**arguments)
"""


@pytest.fixture
def other_process(folder, embedder):
    """Calls a method of the collection in another process that uses chromadb itself."""

    def call(method, texts, ids):
        arguments = {"ids": ids}
        if texts is not None:
            arguments |= {"documents": texts, "embeddings": embedder.embed_documents(texts).tolist()}
        subprocess.run([sys.executable, "-c", OTHER_PROCESS, folder, method, json.dumps(arguments)], check=True)

    return call


@pytest.mark.parametrize("in_memory", [10_000, 0], ids=["vectors in memory", "index"])
def test_what_another_process_writes_to_an_open_folder_is_found_by_every_rag_on_it(
    make_rag, other_process, monkeypatch, in_memory
):
    monkeypatch.setattr(passages, "MOST_IN_MEMORY", in_memory)
    rags = [make_rag(), make_rag()]
    rags[0].batch_add_texts([ANA], ids=["president"])
    assert [answers(rag) for rag in rags] == [[ANA], [ANA]]
    other_process("update", [BRUNO], ["president"])
    assert [answers(rag) for rag in rags] == [[BRUNO], [BRUNO]]
    other_process("add", [ANA], ["before"])
    rags[1].batch_add_texts(["The club has a garden."], ids=["garden"])
    assert [sorted(answers(rag)) for rag in rags] == [["The club has a garden.", ANA, BRUNO]] * 2
    other_process("delete", None, ["president"])
    assert [answers(rag) for rag in rags] == [[ANA, "The club has a garden."]] * 2


def test_a_users_own_client_with_other_settings_and_another_spelling_of_the_path(make_rag, folder, embedder):
    with chromadb.PersistentClient(str(folder)) as same_path, chromadb.PersistentClient(f"{folder}/") as other_path:
        rag = make_rag()
        rag.batch_add_texts([ANA], ids=["president"])
        assert answers(rag) == [ANA]
        for client, text in ((same_path, BRUNO), (other_path, ANA)):
            collection = client.get_collection("documents", embedding_function=None)
            collection.update(ids=["president"], documents=[text], embeddings=embedder.embed_documents([text]))
            assert answers(rag) == [text]


def _as_of_long_ago(file):
    """Makes it certain that the next write changes the file's time."""
    os.utime(file, (1_000_000_000.123456789, 1_000_000_000.123456789))


def test_a_write_that_only_its_write_ahead_log_shows(make_rag, folder, own_client, embedder):
    with make_rag() as rag:
        rag.batch_add_texts([ANA], ids=["president"])
    database = folder / "chroma.sqlite3"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA journal_mode=wal").fetchone() == ("wal",)
    rag = make_rag()
    with own_client() as client:
        collection = client.get_collection("documents", embedding_function=None)
        for text in (BRUNO, ANA, BRUNO):
            _as_of_long_ago(database)
            answers(rag)
            collection.update(ids=["president"], documents=[text], embeddings=embedder.embed_documents([text]))
            assert answers(rag) == [text]


def test_chromas_database_restored_in_place_while_the_folder_is_open(make_rag, folder, tmp_path):
    database = folder / "chroma.sqlite3"
    rag = make_rag()
    rag.batch_add_texts([ANA], ids=["president"])
    shutil.copy(database, tmp_path / "copy")
    rag.batch_add_texts([BRUNO], ids=["president"])
    _as_of_long_ago(database)
    assert answers(rag) == [BRUNO]
    shutil.copy(tmp_path / "copy", database)
    assert answers(rag) == [ANA]


def test_a_write_to_another_collection_of_the_folder_keeps_answers(make_rag, own_client, embedder):
    rag = make_rag()
    rag.batch_add_texts([ANA])
    answers(rag)
    with own_client() as client:
        client.create_collection("other", embedding_function=None).add(ids=["1"], embeddings=[[1.0]], documents=["x"])
    embedder.queries.clear()
    rag.search_cached(QUERY)
    assert embedder.queries == []


def test_a_folder_restored_from_a_copy(make_rag, folder, tmp_path):
    def write(text):
        with make_rag() as rag:
            rag.batch_add_texts([text], ids=["president"])
            return answers(rag)

    write(ANA)
    shutil.copytree(folder, tmp_path / "copy")
    write(BRUNO)
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "copy", folder)
    with make_rag() as rag:
        assert answers(rag) == [ANA]


def test_only_chromas_files_restored_from_a_copy(make_rag, folder, tmp_path):
    with make_rag() as rag:
        rag.batch_add_texts([ANA], ids=["president"])
    shutil.copytree(folder, tmp_path / "copy")
    with make_rag() as rag:
        rag.batch_add_texts([BRUNO], ids=["president"])
        answers(rag)
    shutil.copy(tmp_path / "copy" / "chroma.sqlite3", folder / "chroma.sqlite3")
    with make_rag() as rag:
        assert answers(rag) == [ANA]


@pytest.fixture
def other_client(chroma_server):
    """A client of chromadb itself on the same server, as in another program."""
    host, _, port = chroma_server.removeprefix("http://").partition(":")
    with chromadb.HttpClient(host=host, port=int(port)) as client:
        yield client


@pytest.fixture
def on_server(make_rag, chroma_server, request):
    """Creates RAGs on one collection of the server, which holds one passage."""
    name = f"others-{abs(hash(request.node.nodeid))}"

    def make(**options):
        return make_rag(chroma_url=chroma_server, collection=name, **options)

    make.collection = name
    make().batch_add_texts([ANA], ids=["president"])
    return make


@pytest.mark.xdist_group("chroma server")
class TestOnAServer:
    def test_a_collection_that_was_deleted_and_created_again(self, on_server, other_client):
        rag = on_server()
        answers(rag)
        other_client.delete_collection(on_server.collection)
        other = on_server()
        other.batch_add_texts([BRUNO], ids=["president"])
        assert answers(other) == [BRUNO]
        assert answers(rag) == [BRUNO]

    def test_a_collection_that_another_client_deleted_and_created_again(self, on_server, other_client, embedder):
        rag = on_server()
        assert answers(rag) == [ANA]
        other_client.delete_collection(on_server.collection)
        collection = other_client.create_collection(
            on_server.collection, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )
        collection.add(ids=["president"], documents=[BRUNO], embeddings=embedder.embed_documents([BRUNO]))
        assert answers(rag) == [BRUNO]

    def test_a_collection_that_another_client_deleted_is_empty(self, on_server, other_client):
        rag = on_server()
        answers(rag)
        other_client.delete_collection(on_server.collection)
        assert answers(rag) == []

    def test_passages_that_another_client_adds_and_removes(self, on_server, other_client, embedder):
        rag = on_server()
        answers(rag)
        collection = other_client.get_collection(on_server.collection, embedding_function=None)
        collection.add(ids=["new"], documents=[BRUNO], embeddings=embedder.embed_documents([BRUNO]))
        assert sorted(answers(rag)) == [ANA, BRUNO]
        collection.delete(ids=["president"])
        assert answers(rag) == [BRUNO]

    def test_a_distant_write_of_ones_own_does_not_hide_what_another_client_removed(
        self, on_server, other_client, make_rag
    ):
        rag = on_server()
        ask = {"query": QUERY, "n_results": 1}
        rag.batch_add_texts([BRUNO], ids=["second"])
        rag.search_cached(**ask)
        other_client.get_collection(on_server.collection, embedding_function=None).delete(ids=["president"])
        rag.batch_add_texts(["Trees grow slowly here"])
        assert rag.search_cached(**ask) == rag.search(**ask)

    def test_distant_writes_of_ones_own_keep_answers(self, on_server, embedder):
        rag = on_server()
        rag.search_cached(QUERY, n_results=1)
        rag.batch_add_texts(["Trees grow slowly here", "Rain falls often"], ids=["1", "2"])
        rag.delete(ids=["1"])
        rag.batch_add_texts(["Wind blows"], ids=["2"])
        embedder.queries.clear()
        assert [found.text for found in rag.search_cached(QUERY, n_results=1)] == [ANA]
        assert embedder.queries == []

    @pytest.mark.parametrize("hybrid", [False, True])
    def test_a_shared_collection_in_which_another_client_updates_passages(
        self, on_server, other_client, embedder, hybrid
    ):
        rag = on_server(shared_collection=True)
        asked = {"query": "president Bruno", "hybrid": hybrid}
        assert [found.text for found in rag.search_cached(**asked)] == [ANA]
        collection = other_client.get_collection(on_server.collection, embedding_function=None)
        collection.update(ids=["president"], documents=[BRUNO], embeddings=embedder.embed_documents([BRUNO]))
        assert [found.text for found in rag.search_cached(**asked)] == [BRUNO]
        assert rag.generate_context_cached(**asked) == rag.generate_context(**asked)
        assert rag.get_performance_stats()["cache_hits"] == 0


def test_a_folder_of_a_server_restored_from_a_copy_under_a_client(make_rag, folder, serving, tmp_path, free_port):
    folder.mkdir()
    with serving(folder, free_port) as url:
        rag = make_rag(chroma_url=url)
        rag.batch_add_texts([ANA], ids=["president"])
    shutil.copytree(folder, tmp_path / "copy")
    with serving(folder, free_port):
        rag.batch_add_texts([BRUNO], ids=["president"])
        assert answers(rag) == [BRUNO]
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "copy", folder)
    with serving(folder, free_port):
        rag.batch_add_texts(["Trees grow slowly here"], ids=["distant"])
        assert answers(rag) == [ANA, "Trees grow slowly here"]


def test_a_folder_written_to_while_its_server_was_down(make_rag, folder, serving, free_port):
    folder.mkdir()
    with serving(folder, free_port) as url:
        rag = make_rag(chroma_url=url)
        rag.batch_add_texts([ANA], ids=["president"])
        answers(rag)
    with make_rag() as local:
        local.batch_add_texts([BRUNO], ids=["president"])
    with serving(folder, free_port):
        rag.batch_add_texts(["Trees grow slowly here"], ids=["distant"])
        assert answers(rag) == [BRUNO, "Trees grow slowly here"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"shared_collection": True}, "a folder needs no option to notice the writes of others"),
        ({"server_options": ServerOptions()}, "server_options is given without chroma_url"),
    ],
)
def test_options_for_a_server_are_refused_for_a_folder(folder, options, said):
    with pytest.raises(ValueError, match=said):
        OptimizedRAG(folder, **options)
