from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from jarvisperf.rag import AddReport, DocumentError, OptimizedRAG, StoreError

TEXTS = ["cats purr softly", "dogs bark loudly", "loops repeat code", "lists hold items"]


@pytest.fixture
def filled(rag):
    rag.batch_add_texts(TEXTS)
    return rag


def texts(results):
    return [result.text for result in results]


# Searching


def test_the_nearest_passage_comes_first_with_its_similarity(filled):
    first, second = filled.search("which dogs bark", n_results=2)
    assert first.text == "dogs bark loudly"
    assert 1 >= first.score > second.score


def test_a_passage_equal_to_the_query_has_a_score_of_one(filled):
    assert filled.search("cats purr softly")[0].score == pytest.approx(1.0, abs=1e-5)


def test_a_cached_search_returns_what_a_search_returns(filled):
    for _ in range(2):
        assert filled.search_cached("do cats purr") == filled.search("do cats purr")


def test_a_cached_search_embeds_its_query_once(filled, embedder):
    for query in ("do cats purr", " do  cats\npurr "):
        filled.search_cached(query)
    assert embedder.queries == ["do cats purr"]


def test_another_number_of_results_is_another_question(filled):
    assert [len(filled.search_cached("cats", n_results=count)) for count in (1, 2, 1)] == [1, 2, 1]


def test_asking_for_more_than_there_is_gives_all(filled):
    assert sorted(texts(filled.search("cats", n_results=1000))) == sorted(TEXTS)
    assert sorted(texts(filled.search_cached("cats", n_results=1000))) == sorted(TEXTS)


@pytest.mark.parametrize("count", [1001, 2**32, 10**30])
def test_asking_for_more_than_any_store_holds_gives_all(filled, count):
    assert sorted(texts(filled.search("cats", n_results=count))) == sorted(TEXTS)


def test_an_empty_collection_gives_no_results_and_embeds_nothing(rag, embedder):
    assert rag.search("cats") == rag.search_cached("cats") == []
    assert rag.generate_context("cats") == rag.generate_context_cached("cats") == ""
    assert embedder.queries == []


def test_changing_a_returned_list_does_not_change_what_the_cache_returns(filled):
    for _ in range(2):
        found = filled.search_cached("cats")
        assert len(found) == 4
        found.clear()


def test_results_carry_their_metadata_and_source(rag):
    rag.batch_add_texts(["cats", "dogs"], metadatas=[{"source": "a.md", "tags": ["x", "y"], "year": 2020}, None])
    for found in (rag.search("cats"), rag.search_cached("cats"), rag.search_cached("cats")):
        assert found[0].metadata == {"source": "a.md", "tags": ("x", "y"), "year": 2020}
        assert [result.source for result in found] == ["a.md", None]


def test_answers_of_two_embedders_are_kept_apart(make_rag, word_embedder):
    one, other = make_rag(), make_rag(model=word_embedder("words:2"))
    one.batch_add_texts(TEXTS)
    one.search_cached("cats")
    other.search_cached("cats")
    assert other.get_performance_stats()["cache_misses"] == 1


def test_answers_of_an_exact_search_and_of_chromas_index_are_kept_apart(make_rag):
    index, exact = make_rag(), make_rag(exact=True)
    index.batch_add_texts(TEXTS)
    index.search_cached("cats")
    index.generate_context_cached("cats")
    exact.search_cached("cats")
    exact.generate_context_cached("cats")
    assert exact.get_performance_stats()["cache_misses"] == 2


def test_an_embedder_without_an_identity_is_not_cached(make_rag, word_embedder):
    unknown = word_embedder(None)
    rag = make_rag(model=unknown)
    rag.batch_add_texts(TEXTS)
    assert rag.search_cached("cats") == rag.search_cached("cats")
    assert unknown.queries == ["cats"] * 2


def test_collections_are_kept_apart(make_rag):
    cats, dogs = make_rag(collection="cats"), make_rag(collection="dogs")
    cats.batch_add_texts(["cats"])
    dogs.batch_add_texts(["dogs"])
    assert texts(cats.search_cached("animals")) == ["cats"]
    assert texts(dogs.search_cached("animals")) == ["dogs"]


def test_documents_are_there_after_closing_and_opening_again(make_rag):
    with make_rag() as first:
        first.batch_add_texts(TEXTS)
        before = first.search("cats")
    assert make_rag().search("cats") == before


@pytest.mark.parametrize("method", ["search", "search_cached", "generate_context", "generate_context_cached"])
@pytest.mark.parametrize(
    ("query", "n_results", "error", "message"),
    [
        ("", 5, ValueError, "query is '': give at least one word"),
        (" \n", 5, ValueError, "give at least one word"),
        (None, 5, TypeError, "query is of type NoneType: give a string"),
        ("cats", 0, ValueError, "n_results is 0: give at least 1"),
        ("cats", -1, ValueError, "n_results is -1: give at least 1"),
        ("cats", True, TypeError, "n_results is True: give a whole number"),
        ("cats", 2.0, TypeError, "n_results is 2.0: give a whole number"),
        ("cats", "3", TypeError, "n_results is '3': give a whole number"),
    ],
)
def test_a_query_or_number_that_makes_no_sense_is_refused(rag, method, query, n_results, error, message):
    with pytest.raises(error, match=message):
        getattr(rag, method)(query, n_results=n_results)


@pytest.mark.parametrize("method", ["search_cached", "generate_context_cached"])
@pytest.mark.parametrize(
    ("ttl", "error"), [(-1, ValueError), (float("nan"), ValueError), (True, TypeError), ("1", TypeError)]
)
def test_a_time_to_live_that_makes_no_sense_is_refused_even_where_the_answer_is_cached(filled, method, ttl, error):
    getattr(filled, method)("cats")
    with pytest.raises(error, match="cache_ttl is"):
        getattr(filled, method)("cats", cache_ttl=ttl)


def test_a_time_to_live_of_zero_keeps_nothing(filled, embedder):
    assert filled.search_cached("cats", cache_ttl=0) == filled.search_cached("cats", cache_ttl=0)
    assert len(embedder.queries) == 2
    assert filled.get_performance_stats()["cache_size"] == 0
    assert filled.warm_up_cache(["cats"], cache_ttl=0) == 0


# Contexts


def test_a_context_numbers_the_nearest_passages(filled):
    assert filled.generate_context("cats purr", n_results=1) == "[1]\ncats purr softly"


def test_a_cached_context_is_the_same_and_embeds_its_query_once(filled, embedder):
    context = filled.generate_context_cached("dogs bark")
    assert filled.generate_context_cached("dogs bark") == context
    assert embedder.queries == ["dogs bark"]
    assert context == filled.generate_context("dogs bark")


# Adding texts


def test_adding_says_how_many_are_new(rag):
    assert rag.batch_add_texts(TEXTS) == AddReport(added=4, embedded=4)


def test_adding_a_text_twice_leaves_one(rag):
    rag.batch_add_texts(TEXTS)
    assert rag.batch_add_texts([*TEXTS, TEXTS[0]]) == AddReport(unchanged=5)
    assert rag.get_performance_stats()["documents"] == 4


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_batch_size_changes_nothing_but_the_steps(rag, batch_size):
    assert rag.batch_add_texts((f"text {n % 50}" for n in range(60)), batch_size=batch_size).added == 50
    assert rag.get_performance_stats()["documents"] == 50


def test_more_texts_than_chroma_takes_at_once_are_added_in_one_batch(rag):
    assert rag.batch_add_texts([str(n) for n in range(6000)], batch_size=10_000).added == 6000
    rag.close(wait=False)  # computing their vectors would take ten seconds


def test_all_there_are_is_all_even_where_chromas_index_does_not_reach_them(rag):
    # Many equal vectors split an HNSW graph into islands: a query for all of these 3000 returned 146 to 2090.
    rag.batch_add_texts([f"{word} {'!' * n}" for word in ("cats", "dogs") for n in range(1500)], batch_size=3000)
    found = rag.search("cats", n_results=3001)
    assert len({result.id for result in found}) == 3000
    assert [result.score for result in found] == sorted((result.score for result in found), reverse=True)


def test_no_texts_are_no_error_and_embed_nothing(rag, embedder):
    assert rag.batch_add_texts([]) == AddReport()
    assert embedder.documents == []


def test_empty_and_blank_texts_are_skipped_and_counted(rag):
    assert rag.batch_add_texts(["", "cats", " \n"]) == AddReport(added=1, skipped=2, embedded=1)


def test_an_id_that_is_known_gets_the_new_text_and_only_the_new_metadata(rag):
    rag.batch_add_texts(["cats"], ids=["1"], metadatas=[{"old": 1, "both": 1}])
    assert rag.batch_add_texts(["dogs"], ids=["1"], metadatas=[{"both": 2}]) == AddReport(replaced=1, embedded=1)
    (found,) = rag.search("anything")
    assert (found.id, found.text, found.metadata) == ("1", "dogs", {"both": 2})


def test_metadata_that_is_not_given_again_is_gone(rag):
    rag.batch_add_texts(["cats"], metadatas=[{"old": 1}])
    rag.batch_add_texts(["cats"])
    assert rag.search("cats")[0].metadata == {}


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"texts": "one string"}, TypeError, "texts is one string: give a list"),
        ({"texts": None}, TypeError, "texts is None: give a list of strings"),
        ({"texts": 5}, TypeError, "texts is 5"),
        ({"texts": ["a"], "metadatas": ["x"]}, TypeError, "metadata 0 is 'x': give a dictionary or None"),
        ({"texts": ["a"], "metadatas": {"x": 1}}, TypeError, "metadatas is .*: give a list, one for each text"),
        ({"texts": ["a"], "ids": "1"}, TypeError, "ids is '1': give a list, one for each text"),
        ({"texts": ["a"], "ids": 1}, TypeError, "ids is 1: give a list"),
        ({"texts": ["a", 3]}, TypeError, "text 1 is of type int: give strings"),
        ({"texts": ["a", "b\udfff"]}, ValueError, "text 1 has a lone surrogate"),
        ({"texts": ["a"], "batch_size": 0}, ValueError, "batch_size is 0: give at least 1"),
        ({"texts": ["a"], "batch_size": True}, TypeError, "batch_size is True"),
        ({"texts": ["a", "b"], "ids": ["1"]}, ValueError, "2 texts, but 1 ids"),
        ({"texts": iter(["a"]), "metadatas": []}, ValueError, "more than 0 texts, but 0 metadatas"),
        ({"texts": iter(["a"]), "ids": ["1", "2"]}, ValueError, "more ids than texts"),
        (
            {"texts": ["a"], "metadatas": [{"_jarvisperf": 1}]},
            ValueError,
            "'_jarvisperf', which is reserved for jarvisperf",
        ),
        ({"texts": ["a", "b"], "ids": ["1", "1"]}, ValueError, "id '1' is given twice"),
        ({"texts": ["a"], "ids": [""]}, ValueError, "id 0 is ''"),
        (
            {"texts": ["a"], "metadatas": [{"x": {}}]},
            ValueError,
            r"metadata 0\['x'\] is \{\} of type dict: give strings",
        ),
    ],
)
def test_texts_that_cannot_be_added_are_refused_with_the_reason(rag, given, error, message):
    with pytest.raises(error, match=message):
        rag.batch_add_texts(**given)


def test_texts_ids_and_metadatas_may_all_be_generators(rag):
    rag.batch_add_texts(
        (text for text in TEXTS), metadatas=({"n": n} for n in range(4)), ids=(f"id{n}" for n in range(4))
    )
    found = rag.search(TEXTS[2])[0]
    assert (found.text, found.id, found.metadata) == (TEXTS[2], "id2", {"n": 2})


def test_what_was_stored_before_a_text_that_fails_stays(rag):
    with pytest.raises(TypeError):
        rag.batch_add_texts(["a", "b", None], batch_size=1)
    assert rag.get_performance_stats()["documents"] == 2


def test_a_model_of_another_dimension_is_refused_with_both_numbers(make_rag, filled, word_embedder):
    other = make_rag(model=word_embedder("small", 3))
    for use in (lambda: other.search("cats"), lambda: other.batch_add_texts(["more"])):
        with pytest.raises(StoreError, match=r"vectors have 3 dimensions.*256"):
            use()


def test_an_embedder_that_gives_too_few_vectors_is_refused(make_rag, word_embedder):
    class Lazy(word_embedder):
        def embed_documents(self, texts):
            return super().embed_documents(texts)[:1]

    with pytest.raises(ValueError, match=r"shape \(1, 256\) for 2 texts"):
        make_rag(model=Lazy()).batch_add_texts(["a", "b"])


# Adding files


@pytest.fixture
def document(tmp_path, require):
    require("markdown_it")
    path = tmp_path / "guide.md"
    path.write_text("# Cats\n\nCats purr.\n\n# Dogs\n\nDogs bark.\n" + "\n\nMore words about dogs." * 60)
    return path


def test_a_file_is_found_by_its_passages_with_source_section_and_position(rag, document):
    report = rag.add_document_optimized(document)
    found = rag.search("cats purr", n_results=1)[0]
    assert report.added == rag.get_performance_stats()["chunks"] > 1
    assert rag.get_performance_stats()["documents"] == 1
    assert found.source == document.name
    assert found.metadata == {"source": str(document.resolve()), "section": "Cats", "position": 0, "line": 1}
    assert rag.generate_context("cats purr").startswith(f"[1] {document.name}, Cats\n")


def test_adding_a_file_again_changes_nothing(rag, document, monkeypatch):
    added = rag.add_document_optimized(document).added
    monkeypatch.chdir(document.parent)
    assert rag.add_document_optimized(document.name) == AddReport(unchanged=added)


def test_adding_a_changed_file_removes_what_is_gone_from_it(rag, document):
    rag.add_document_optimized(document)
    document.write_text("# Birds\n\nBirds sing.\n")
    report = rag.add_document_optimized(document)
    assert report.removed > 1
    assert texts(rag.search("dogs bark")) == ["# Birds\n\nBirds sing."]


def test_a_file_that_became_empty_is_removed(rag, document):
    added = rag.add_document_optimized(document).added
    document.write_text("\n")
    assert rag.add_document_optimized(document) == AddReport(removed=added)
    assert rag.search("dogs") == []


def test_replacing_a_file_leaves_other_files_and_texts_alone(rag, document):
    copy = document.with_name("copy.md")
    copy.write_text(document.read_text())
    rag.add_document_optimized(copy)
    rag.batch_add_texts(["dogs by hand"], metadatas=[{"source": str(document.resolve())}])
    rag.add_document_optimized(document)
    document.write_text("")
    rag.add_document_optimized(document)
    assert {result.metadata["source"] for result in rag.search("dogs", n_results=100)} == {
        str(copy.resolve()),
        str(document.resolve()),
    }
    assert "dogs by hand" in texts(rag.search("dogs by hand"))


def test_the_same_passage_twice_in_a_file_is_two_passages(rag, tmp_path, require):
    require("markdown_it")
    path = tmp_path / "twice.md"
    path.write_text(("# A\n\n" + "words " * 150 + "\n\n") * 2)
    assert rag.add_document_optimized(path).added == 2


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(rag, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.md is not a file"):
        rag.add_document_optimized(tmp_path / "missing.md")
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(DocumentError, match=r"a\.zip has the unsupported type \.zip"):
        rag.add_document_optimized(tmp_path / "a.zip")


# Warming up and statistics


def test_warmed_queries_are_answered_from_the_cache(filled, embedder):
    assert filled.warm_up_cache(["do cats purr", "do dogs bark"]) == 2
    embedder.queries.clear()
    filled.search_cached("do cats purr")
    filled.generate_context_cached("do dogs bark")
    assert embedder.queries == []


def test_one_query_as_a_string_is_not_several(filled):
    with pytest.raises(TypeError, match="queries is the string 'cats': give a list of strings"):
        filled.warm_up_cache("cats")


def test_warming_up_does_not_count_as_misses(filled):
    filled.warm_up_cache(["do cats purr"])
    filled.search_cached("do cats purr")
    assert filled.get_performance_stats()["cache_hit_rate"] == 1.0


def test_statistics_before_anything_happened_load_nothing(rag):
    stats = rag.get_performance_stats()
    assert (stats["cache_hit_rate"], stats["avg_query_time_ms"], stats["cache_size"]) == (0.0, 0.0, 0)
    assert stats["documents"] is None


def test_statistics_count_hits_queries_and_cached_answers(filled):
    for _ in range(4):
        filled.search_cached("do cats purr")
    stats = filled.get_performance_stats()
    assert (stats["cache_hit_rate"], stats["queries"], stats["cache_size"]) == (0.75, 4, 1)
    assert stats["avg_query_time_ms"] > 0
    assert stats["documents"] == 4


# Life and death


def test_several_threads_share_one_rag(filled):
    found, failed = [], []

    def ask(number):
        try:
            for turn in range(10):
                found.append(filled.search_cached(("cats", "cats purr", "purr")[turn % 3], n_results=1)[0].text)
                filled.batch_add_texts([f"unrelated {number} {turn}"])
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert set(found) == {"cats purr softly"}
    assert filled.get_performance_stats()["documents"] == 4 + 40


def test_a_closed_rag_says_so(filled):
    filled.close()
    filled.close()
    for use in (
        lambda: filled.search("cats"),
        lambda: filled.search_cached("cats"),
        lambda: filled.batch_add_texts(["more"]),
    ):
        with pytest.raises(RuntimeError, match="closed"):
            use()


def test_closing_waits_for_a_write_in_another_thread(make_rag):
    within, go_on = threading.Event(), threading.Event()
    removed = []

    class SlowCache(dict):
        def set(self, key, value, *, ttl):
            within.set()  # every write keeps a record of what it changed
            go_on.wait(60)

    filled = make_rag(cache=SlowCache())
    go_on.set()
    filled.batch_add_texts(["cats purr"], ids=["doomed"])
    within.clear()
    go_on.clear()
    threads = [
        threading.Thread(target=lambda: removed.append(filled.delete(ids=["doomed"])), daemon=True),
        threading.Thread(target=filled.close, daemon=True),
    ]
    threads[0].start()
    assert within.wait(60)
    threads[1].start()
    threads[1].join(0.3)
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert removed == [1]


def test_what_still_adds_when_a_rag_is_closed_stops_and_opens_nothing(make_rag, filled):
    def texts_until_closed():
        yield "more"
        filled.close()
        yield "too late"

    with pytest.raises(RuntimeError, match="this OptimizedRAG is closed: create a new one") as caught:
        filled.batch_add_texts(texts_until_closed(), batch_size=1)
    assert "1 passages of this call were stored before the error" in caught.value.__notes__[0]
    assert filled.get_performance_stats()["chunks"] is None
    assert make_rag().get_performance_stats()["documents"] is None


def test_closing_one_rag_leaves_others_on_the_same_folder_open(make_rag, filled):
    other = make_rag()
    assert other.search("cats")
    other.close()
    assert filled.search("cats")
    filled.batch_add_texts(["more"])


def test_a_folder_and_a_server_at_once_are_refused(tmp_path):
    with pytest.raises(ValueError, match="give one of them"):
        OptimizedRAG(path=tmp_path, chroma_url="http://localhost:8000")


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://localhost", "http://", "http://h:x", "http://h/path"])
def test_a_url_of_another_form_is_refused_at_once(url):
    with pytest.raises(ValueError, match="give http://host:port"):
        OptimizedRAG(chroma_url=url)


def test_a_model_that_is_no_model_is_refused_at_once(tmp_path):
    with pytest.raises(TypeError, match="model is of type int: give a folder, a hub name, or an object"):
        OptimizedRAG(path=tmp_path, model=3)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"collection": 5}, TypeError, "collection is 5: give a string"),
        ({"collection": "a\udc80"}, ValueError, "collection has a lone surrogate"),
        ({"chroma_url": 5}, TypeError, "chroma_url is 5: give http://host:port"),
        ({"cache": 5}, TypeError, "cache is 5: give a SmartCache"),
        ({"path": 5}, TypeError, "path is 5: give a folder"),
        ({"path": ""}, ValueError, "path is '': give a folder"),
        ({"model": ""}, ValueError, "model is '': give a folder or a hub name"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused_at_once(given, error, message):
    with pytest.raises(error, match=message):
        OptimizedRAG(**given)


def test_a_folder_that_cannot_be_made_is_named(make_rag, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot open the document store in .*file"):
        make_rag(path=tmp_path / "file" / "below").search("cats")


def test_a_collection_name_that_chroma_refuses_is_named(make_rag):
    with pytest.raises(StoreError, match="cannot open the collection 'a b'"):
        make_rag(collection="a b").search("cats")


def test_a_collection_that_measures_another_distance_is_refused(make_rag, tmp_path, require):
    chromadb = require("chromadb")
    settings = chromadb.config.Settings(anonymized_telemetry=False)
    with chromadb.PersistentClient(str(tmp_path / "chroma"), settings=settings) as client:
        client.create_collection("documents", embedding_function=None)
    with pytest.raises(StoreError, match="has the distance 'l2'"):
        make_rag().search("cats")


def test_the_shared_rag_is_one_until_it_is_closed(tmp_path, monkeypatch):
    from jarvisperf.rag import get_optimized_rag

    monkeypatch.setenv("JARVISPERF_DATA_DIR", str(tmp_path))
    first = get_optimized_rag()
    try:
        assert get_optimized_rag() is first
        first.close()
        assert get_optimized_rag() is not first
    finally:
        get_optimized_rag().close()


def test_making_rags_loads_nothing_heavy_and_writes_nothing(tmp_path):
    program = """
import sys
from jarvisperf.rag import OptimizedRAG, get_optimized_rag
OptimizedRAG(); get_optimized_rag(); OptimizedRAG(chroma_url="http://localhost:1")
heavy = ("torch", "transformers", "sentence_transformers", "chromadb", "numpy", "scipy", "matplotlib")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"JARVISPERF_DATA_DIR": str(tmp_path / "data"), "PATH": ""},
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert not (tmp_path / "data").exists()
