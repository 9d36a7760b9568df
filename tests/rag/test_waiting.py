"""Tests passages that are found by words while their vectors are still being computed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_until

from jarvisperf.rag import StoreError, StoreInUseError
from jarvisperf.rag.embedding.background import BackgroundEmbedder
from jarvisperf.rag.search.retriever import Retriever
from jarvisperf.rag.store.filters import EVERYTHING

MANY = 70
PETS = ["cats purr at night", "dogs bark at cats", "birds sing at dawn"]
PROGRAM = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from conftest import WordEmbedder
from jarvisperf.rag import OptimizedRAG
from jarvisperf.rag.embedding.background import BackgroundEmbedder
from jarvisperf.rag.ingest import ingestor
ingestor.MOST_EMBEDDED_NOW = 0
"""


@pytest.fixture
def all_wait(monkeypatch):
    """Each added passage waits, even if they are few; searches do not embed them first, and the background is idle."""
    monkeypatch.setattr("jarvisperf.rag.ingest.ingestor.MOST_EMBEDDED_NOW", 0)
    monkeypatch.setattr(Retriever, "embed_few", lambda *_: False)
    monkeypatch.setattr(BackgroundEmbedder, "start", lambda *_, **__: None)


@pytest.fixture
def few_candidates(monkeypatch):
    """Of the waiting passages, a search compares only as many as it returns."""
    monkeypatch.setattr("jarvisperf.rag.search.retriever._MIN_WAITING_CANDIDATES", 1)


def texts(found):
    return [result.text for result in found]


def waiting(rag):
    rag.sources()  # opens the store
    return rag.get_performance_stats()["waiting"]


def some(count):
    return [f"text {number}" for number in range(count)]


class TestWhichPassagesWait:
    def test_a_few_are_embedded_by_the_call_that_adds_them(self, rag, embedder):
        report = rag.batch_add_texts(PETS)
        assert (report.added, report.embedded, report.waiting) == (3, 3, 0)
        assert embedder.documents == PETS

    def test_many_are_embedded_in_the_background(self, rag):
        report = rag.batch_add_texts(some(MANY))
        assert (report.added, report.embedded, report.waiting) == (MANY, 0, MANY)
        wait_until(lambda: waiting(rag) == 0)
        assert rag.get_performance_stats()["embeddings_computed"] == MANY

    def test_those_whose_vectors_are_known_do_not(self, rag, all_wait):
        rag.batch_add_texts(PETS)
        rag.wait()
        rag.delete(ids=[passage.id for passage in rag.get()])
        report = rag.batch_add_texts([*PETS, "fish swim"])
        assert (report.added, report.reused, report.waiting) == (4, 3, 1)

    def test_none_does_if_the_caller_says_so(self, make_rag):
        report = make_rag(embed_in_background=False).batch_add_texts(some(MANY))
        assert (report.embedded, report.waiting) == (MANY, 0)

    def test_none_does_while_the_model_is_not_on_this_machine(self, make_rag, embedder):
        embedder.identity = None
        assert make_rag().batch_add_texts(some(MANY)).embedded == MANY

    def test_adding_them_again_changes_nothing(self, rag, all_wait):
        rag.batch_add_texts(PETS)
        assert rag.batch_add_texts(PETS).unchanged == 3
        assert waiting(rag) == 3


@pytest.mark.usefixtures("all_wait")
class TestSearching:
    def test_it_is_found_by_words_and_the_answer_says_what_it_lacks(self, rag, few_candidates):
        rag.batch_add_texts(PETS)
        found = rag.search("dogs", n_results=1)
        assert texts(found) == ["dogs bark at cats"]
        assert not found.complete
        assert waiting(rag) == 3

    def test_its_score_is_the_one_that_it_has_later(self, rag):
        rag.batch_add_texts(PETS)
        before = rag.search("dogs and cats")
        rag.wait()
        after = rag.search("dogs and cats")
        assert [(one.id, round(one.score, 5)) for one in before] == [(one.id, round(one.score, 5)) for one in after]

    @pytest.mark.parametrize("options", [{}, {"hybrid": True}, {"diversity": 0.5}, {"min_score": 0.3}], ids=str)
    def test_those_that_wait_and_those_that_do_not_are_ranked_together(self, rag, options, require):
        require("bm25s")
        rag.batch_add_texts(PETS[:1])
        rag.wait()
        rag.batch_add_texts(PETS[1:])
        found = rag.search("dogs bark at cats at night", **options)
        rag.wait()
        assert texts(found) == texts(rag.search("dogs bark at cats at night", **options))

    def test_many_questions_at_once(self, rag):
        rag.batch_add_texts(PETS)
        assert [texts(found)[0] for found in rag.search_many(["dogs bark", "birds"])] == PETS[1:]

    def test_a_context_says_whether_it_is_complete(self, rag, few_candidates):
        rag.batch_add_texts(PETS)
        assert not rag.generate_context("dogs", 1).complete
        assert not rag.generate_context_cached("dogs", 1).complete
        rag.wait()
        assert rag.generate_context("dogs", 1).complete
        assert rag.generate_context_cached("dogs", 1) == "[1]\ndogs bark at cats"

    def test_answers_are_cached_only_once_nothing_waits(self, rag):
        rag.batch_add_texts(PETS)
        rag.search_cached("dogs")
        rag.search_cached("dogs")
        assert rag.get_performance_stats()["cache_hits"] == 0
        rag.wait()
        assert rag.search_cached("dogs") == rag.search_cached("dogs")
        assert rag.get_performance_stats()["cache_hits"] == 1

    def test_an_answer_from_before_does_not_hide_what_waits(self, rag):
        rag.batch_add_texts(PETS[:1])
        rag.wait()
        rag.search_cached("dogs", n_results=1)
        rag.batch_add_texts(PETS[1:])
        assert texts(rag.search_cached("dogs", n_results=1)) == ["dogs bark at cats"]

    def test_a_filter_that_rules_out_all_that_wait_gives_complete_answers_that_are_cached(self, rag):
        rag.batch_add_texts(PETS[:1], metadatas=[{"tenant": "a"}])
        rag.wait()
        asked = {"query": "dogs", "where": {"tenant": "a"}}
        first = rag.search_cached(**asked)
        rag.batch_add_texts(PETS[1:], metadatas=[{"tenant": "b"}] * 2)
        assert rag.search_cached(**asked) == rag.search(**asked) == first
        assert rag.search(**asked).complete
        assert rag.get_performance_stats()["cache_hits"] == 1

    @pytest.mark.parametrize("where", [{"where": {"tenant": "b"}}, {"where_document": {"$contains": "dawn"}}], ids=str)
    def test_filters_choose_among_those_that_wait(self, rag, where, few_candidates):
        rag.batch_add_texts(PETS, metadatas=[{"tenant": "a"}, {"tenant": "a"}, {"tenant": "b"}])
        assert texts(rag.search("dogs bark at cats", **where)) == PETS[2:]

    def test_warming_up_the_cache_embeds_first(self, rag):
        rag.batch_add_texts(PETS)
        assert rag.warm_up_cache(["dogs"]) == 1


@pytest.mark.parametrize("most", [MANY, 0])
def test_a_search_embeds_first_what_is_few_or_may_be_returned(rag, monkeypatch, most):
    monkeypatch.setattr("jarvisperf.rag.search.retriever.MOST_EMBEDDED_FIRST", most)
    monkeypatch.setattr(BackgroundEmbedder, "start", lambda *_, **__: None)
    rag.batch_add_texts(some(MANY))
    asked = {"query": "text 7", "n_results": 5 if most else MANY}
    assert rag.search_cached(**asked).complete
    assert waiting(rag) == 0
    rag.search_cached(**asked)
    assert rag.get_performance_stats()["cache_hits"] == 1


@pytest.mark.usefixtures("all_wait")
class TestChanging:
    def test_a_passage_is_read_updated_and_deleted_while_it_waits(self, rag):
        rag.batch_add_texts(PETS, ids=["1", "2", "3"], metadatas=[{"source": "pets"}] * 3)
        assert rag.update({"year": 2020}, where={"source": "pets"}, where_document={"$contains": "dogs"}) == 1
        assert [dict(passage.metadata) for passage in rag.get(["2"])] == [{"source": "pets", "year": 2020}]
        assert rag.delete(ids=["1"]) == 1
        assert rag.sources() == {"pets": 2}
        rag.wait()
        assert {passage.id: passage.metadata.get("year") for passage in rag.get()} == {"2": 2020, "3": None}
        assert rag.get_performance_stats()["chunks"] == 2

    def test_of_a_passage_that_gets_a_new_text_the_old_one_is_not_found(self, rag):
        rag.batch_add_texts(["cats purr"], ids=["1"])
        rag.wait()
        report = rag.batch_add_texts(["dogs bark"], ids=["1"])
        assert (report.replaced, report.waiting) == (1, 1)
        assert texts(rag.search("cats purr")) == ["dogs bark"]
        rag.wait()
        assert texts(rag.search("cats purr")) == ["dogs bark"]

    def test_a_passage_that_is_added_with_its_vector_waits_no_more(self, rag, make_rag):
        rag.batch_add_texts(["cats purr"], ids=["1"])
        make_rag(embed_in_background=False).batch_add_texts(["dogs bark"], ids=["1"])
        assert waiting(rag) == 0
        assert texts(rag.search("cats")) == ["dogs bark"]

    def test_a_passage_that_gets_its_vector_while_all_are_read_is_read_once(self, rag, monkeypatch, require):
        require("bm25s")

        def add_again():
            rag.delete(source="pets")
            rag.batch_add_texts(PETS, ids=["1", "2", "3"], metadatas=[{"source": "pets"}] * 3)

        add_again()
        place = type(rag._store.open())
        plain = {name: getattr(place, name) for name in ("get", "count")}

        def moving(name):
            def ask(collection, **arguments):
                answer = plain[name](collection, **arguments)
                with monkeypatch.context() as usual:
                    for method, ask_plainly in plain.items():
                        usual.setattr(place, method, ask_plainly)
                    rag._background.embed_some(1)
                return answer

            return ask

        def read_while_they_move(read):
            with monkeypatch.context() as meanwhile:
                for name in plain:
                    meanwhile.setattr(place, name, moving(name))
                return read()

        def ids_by_words():
            return [key for key, _ in rag._retriever._keywords.best("dogs cats", 9, EVERYTHING)]

        assert len(read_while_they_move(rag.get)) == 3
        add_again()
        assert read_while_they_move(rag.sources) == {"pets": 3}
        add_again()
        assert read_while_they_move(lambda: rag.get_performance_stats()["chunks"]) == 3
        add_again()
        assert sorted(read_while_they_move(ids_by_words)) == ["1", "2"]

    def test_verify_counts_it_as_present(self, rag, write, require):
        require("markdown_it")
        file = write("pets.md", "# Cats\n\nCats purr.\n\n# Dogs\n\nDogs bark.")
        assert rag.add_document_optimized(file).waiting == 2
        assert rag.verify([file]) == []

    @pytest.fixture
    def during(self, embedder):
        """Lets a test do something right before the vectors of waiting passages are stored."""
        plain = embedder.embed_documents

        def set_hook(hook):
            def embed(documents):
                embedder.embed_documents = plain
                hook()
                return plain(documents)

            embedder.embed_documents = embed

        return set_hook

    def test_one_that_is_deleted_while_its_vector_is_computed_does_not_come_back(self, rag, during):
        rag.batch_add_texts(PETS, ids=["1", "2", "3"])
        during(lambda: rag.delete(ids=["2"]))
        rag.wait()
        assert sorted(texts(rag.search("dogs bark"))) == [PETS[2], PETS[0]]

    def test_one_that_is_changed_while_its_vector_is_computed_gets_that_of_its_new_text(self, rag, during):
        rag.batch_add_texts(PETS, ids=["1", "2", "3"])
        during(lambda: rag.batch_add_texts(["fish swim"], ids=["2"]))
        rag.wait()
        (found,) = rag.search("fish swim", n_results=1)
        assert (found.id, found.text, round(found.score, 4)) == ("2", "fish swim", 1.0)

    def test_metadata_that_changes_while_its_vector_is_computed_is_kept(self, rag, during):
        rag.batch_add_texts(PETS, ids=["1", "2", "3"])
        during(lambda: rag.update({"year": 2020}, ids=["2"]))
        rag.wait()
        assert waiting(rag) == 0
        assert [passage.id for passage in rag.get(where={"year": 2020})] == ["2"]


class Failing:
    """An embedder that fails as long as it is told to."""

    def __init__(self, embedder):
        self.fails = True
        self.identity = embedder.identity
        self.embed_query = embedder.embed_query
        self._embed = embedder.embed_documents

    def embed_documents(self, documents):
        if self.fails:
            raise OSError("the service is down")
        return self._embed(documents)


class TestFailures:
    def test_a_failed_embedder_is_reported_where_one_waits_and_tried_again(self, make_rag, embedder):
        failing = Failing(embedder)
        rag = make_rag(model=failing)
        rag.batch_add_texts(some(MANY))
        with pytest.raises(OSError, match="the service is down"):
            rag.wait()
        with pytest.raises(OSError, match="the service is down"):
            rag.search("text 7")
        failing.fails = False
        rag.wait()
        assert rag.search("text 7").complete

    def test_an_answer_at_once_says_what_failed(self, make_rag, embedder, monkeypatch):
        monkeypatch.setattr("jarvisperf.rag.search.retriever.MOST_EMBEDDED_FIRST", 0)
        failing = Failing(embedder)
        rag = make_rag(model=failing)
        rag.batch_add_texts([*some(MANY), "cats purr"])
        wait_until(lambda: rag._background.failure is not None)
        failing.fails = False
        monkeypatch.setattr(BackgroundEmbedder, "start", lambda *_, **__: None)
        found = rag.search("cats purr", n_results=1)
        assert (texts(found), found.complete, found.problem) == (["cats purr"], False, "the service is down")

    def test_closing_raises_what_failed_and_closes(self, make_rag, embedder):
        rag = make_rag(model=Failing(embedder))
        rag.batch_add_texts(some(MANY))
        with pytest.raises(OSError, match="the service is down"):
            rag.close()
        assert rag.closed
        with make_rag() as other:
            assert waiting(other) == MANY

    def test_passages_belong_to_the_model_that_embeds_them_not_to_the_one_that_added_them(
        self, make_rag, word_embedder, all_wait
    ):
        class Reversed(word_embedder):
            def _vector(self, text):
                return super()._vector(text)[::-1].copy()

        adding, embedding = make_rag(), make_rag(model=Reversed("reversed:1"), embedding_cache=False)
        adding.batch_add_texts(PETS)
        adding.search("dogs")
        embedding.wait()
        with pytest.raises(StoreError, match="was built with the model reversed:1"):
            adding.search("dogs")

    def test_a_with_block_left_by_an_error_does_not_wait(self, make_rag, all_wait):
        def fail_within(rag):
            with rag:
                rag.batch_add_texts(PETS)
                raise LookupError

        with pytest.raises(LookupError):
            fail_within(make_rag())
        assert waiting(make_rag()) == 3

    def test_a_write_that_dies_before_the_passage_stops_waiting_is_repeated(self, rag, all_wait, monkeypatch):
        rag.batch_add_texts(PETS)
        place = rag._store._place_of_waiting().chroma
        with monkeypatch.context() as broken:

            def delete(**_):
                raise StoreError("killed")

            broken.setattr(type(place), "delete", lambda *_, **__: delete())
            with pytest.raises(StoreError, match="killed"):
                rag.wait()
        assert sorted(texts(rag.search("dogs", n_results=9))) == sorted(PETS)
        rag.wait()
        assert sorted(texts(rag.search("dogs", n_results=9))) == sorted(PETS)
        assert waiting(rag) == 0

    def test_what_a_killed_process_left_waiting_is_embedded_by_the_next_search(self, tmp_path, make_rag):
        program = f"""{PROGRAM}
BackgroundEmbedder.start = lambda *_, **__: None
OptimizedRAG({str(tmp_path / "chroma")!r}, model=WordEmbedder()).batch_add_texts({PETS!r})
os._exit(9)
"""
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
        rag = make_rag()
        assert waiting(rag) == 3
        found = rag.search("dogs bark")
        assert (texts(found)[0], found.complete, waiting(rag)) == (PETS[1], True, 0)

    def test_a_program_that_ends_without_closing_finishes_first(self, tmp_path, make_rag):
        program = (
            f"{PROGRAM}\nOptimizedRAG({str(tmp_path / 'chroma')!r}, model=WordEmbedder()).batch_add_texts({PETS!r})"
        )
        subprocess.run([sys.executable, "-c", program], check=True)
        assert waiting(make_rag()) == 0

    def test_at_the_end_of_a_program_its_embedder_can_still_use_thread_pools_and_import_them(self, tmp_path, make_rag):
        program = f"""{PROGRAM}
import threading

class Pooled(WordEmbedder):
    def embed_documents(self, texts):
        threading.main_thread().join(1)  # until the program ends, which it does after at most this time
        from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(super().embed_documents, texts).result()

OptimizedRAG({str(tmp_path / "chroma")!r}, model=Pooled()).batch_add_texts({PETS!r})
"""
        subprocess.run([sys.executable, "-c", program], check=True)
        assert waiting(make_rag()) == 0

    def test_a_reader_of_a_folder_that_another_process_has_open_answers_all_the_same(self, tmp_path, make_rag):
        program = f"""{PROGRAM}
BackgroundEmbedder.start = lambda *_, **__: None
rag = OptimizedRAG({str(tmp_path / "chroma")!r}, model=WordEmbedder())
rag.batch_add_texts({PETS!r})
print("added", flush=True)
sys.stdin.read()
os._exit(0)
"""
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other:
            assert other.stdout.readline() == "added\n"
            rag = make_rag()
            found = rag.search("dogs bark")
            with pytest.raises(StoreInUseError, match="another process has it open"):
                rag.wait()
            other.stdin.close()
        assert texts(found)[0] == PETS[1]
        assert found.complete  # each of the three was compared, although their vectors could not be stored


@pytest.mark.asyncio
async def test_waiting_in_a_coroutine(rag, all_wait):
    await rag.abatch_add_texts(PETS)
    await rag.await_()
    assert waiting(rag) == 0


def test_context_variables_of_the_caller_are_those_of_the_background(make_rag, word_embedder):
    import contextvars

    key = contextvars.ContextVar("key", default="none")
    seen = []

    class Reading(word_embedder):
        def embed_documents(self, documents):
            seen.append(key.get())
            return super().embed_documents(documents)

    rag = make_rag(model=Reading())
    key.set("secret")
    rag.batch_add_texts(some(MANY))
    wait_until(lambda: waiting(rag) == 0)
    assert set(seen) == {"secret"}


class TestOnAServer:
    pytestmark = pytest.mark.xdist_group("chroma server")

    @pytest.fixture
    def on_server(self, make_rag, chroma_server, request):
        name = f"waiting-{abs(hash(request.node.nodeid))}"
        return lambda **options: make_rag(chroma_url=chroma_server, collection=name, embedding_cache=False, **options)

    def test_what_one_client_adds_another_finds_and_embeds(self, on_server, all_wait):
        first, second = on_server(), on_server()
        first.batch_add_texts(PETS)
        assert texts(second.search("dogs bark"))[0] == PETS[1]
        second.wait()
        assert waiting(first) == 0
        assert first.search_cached("dogs bark") == second.search("dogs bark")

    def test_storing_vectors_gives_way_to_another_client_that_writes(self, on_server, all_wait, monkeypatch):
        first, second = on_server(), on_server()
        first.batch_add_texts(PETS, ids=["1", "2", "3"])
        gave_way = []

        def write_in_between():
            if not gave_way:
                gave_way.append(second._store.first_waiting(3))
                with pytest.raises(StoreError, match="another client of the Chroma server"):
                    second._store.store_vectors(gave_way[0], second._embedder.embed_documents(PETS))
            return ["2"]

        first._store.write([], (), write_in_between)
        assert gave_way
        second.wait()
        assert [passage.id for passage in first.get()] == ["1", "3"]

    def test_a_search_does_not_wait_for_a_client_that_died_while_it_was_writing(
        self, on_server, monkeypatch, few_candidates
    ):
        monkeypatch.setattr("jarvisperf.rag.ingest.ingestor.MOST_EMBEDDED_NOW", 0)
        monkeypatch.setattr("jarvisperf.rag.embedding.background._MOST_SECONDS_OF_A_SEARCH", 0)
        monkeypatch.setattr(BackgroundEmbedder, "start", lambda *_, **__: None)
        died, searching = on_server(), on_server()
        died.batch_add_texts(PETS)
        found = []
        died._store.write([], (), lambda: found.append(searching.search("dogs bark", n_results=1)) or ())
        assert texts(found[0]) == [PETS[1]]
        assert not found[0].complete
        assert "another client of the Chroma server" in found[0].problem
        assert searching.search("dogs bark", n_results=1).complete

    def test_a_folder_notices_what_was_added_through_a_server_in_between(self, make_rag, tmp_path, serving, all_wait):
        with make_rag() as rag:
            rag.batch_add_texts(PETS[:1])
            rag.wait()
            rag.search_cached("dogs", n_results=1)
        with serving(tmp_path / "chroma") as url, make_rag(chroma_url=url) as rag:
            rag.batch_add_texts(PETS[1:])
            rag.close(wait=False)
        assert texts(make_rag().search_cached("dogs", n_results=1)) == [PETS[1]]
