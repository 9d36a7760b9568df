"""Tests that cached answers notice what other programs write to the same Chroma folder or server."""

from __future__ import annotations

import shutil

import chromadb
import pytest

from jarvisperf.rag import OptimizedRAG

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


@pytest.mark.xdist_group("chroma server")
def test_a_collection_on_a_server_that_was_deleted_and_created_again(make_rag, chroma_server):
    rag = make_rag(chroma_url=chroma_server, collection="created-again")
    rag.batch_add_texts([ANA], ids=["president"])
    answers(rag)
    host, _, port = chroma_server.removeprefix("http://").partition(":")
    client = chromadb.HttpClient(host=host, port=int(port))
    client.delete_collection("created-again")
    other: OptimizedRAG = make_rag(chroma_url=chroma_server, collection="created-again")
    other.batch_add_texts([BRUNO], ids=["president"])
    assert answers(other) == [BRUNO]
    assert answers(rag) == [BRUNO]
