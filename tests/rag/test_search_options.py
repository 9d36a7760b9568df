"""Tests filters, minimum scores, diversity, keywords, many queries, budgets and coroutines, cached and uncached."""

from __future__ import annotations

import asyncio

import pytest
from rag.hash_embedder import HashEmbedder

from jarvisperf.rag import SearchResult

TEXTS = ["cats purr softly", "cats purr loudly", "dogs bark loudly", "loops repeat code"]
METADATAS = [{"kind": "cat", "year": 1}, {"kind": "cat", "year": 2}, {"kind": "dog"}, None]


@pytest.fixture
def filled(rag):
    rag.batch_add_texts(TEXTS, metadatas=METADATAS, ids=["a", "b", "c", "d"])
    return rag


def ids(found):
    return [result.id for result in found]


OPTIONS = [
    {},
    {"where": {"kind": "cat"}},
    {"where": {"$and": [{"kind": "cat"}, {"year": {"$gte": 2}}]}},
    {"where_document": {"$contains": "loudly"}},
    {"min_score": 0.5},
    {"diversity": 0.7},
    {"hybrid": True},
    {"hybrid": True, "where": {"kind": "dog"}},
    {"diversity": 0.3, "hybrid": True, "min_score": 0.0, "where": {"kind": "cat"}},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_with_any_options_a_cached_search_and_context_are_what_uncached_ones_are(filled, options):
    for _ in range(2):
        assert filled.search_cached("cats purr", 3, **options) == filled.search("cats purr", 3, **options)
        context = filled.generate_context("cats purr", **options)
        assert filled.generate_context_cached("cats purr", **options) == context
    assert filled.get_performance_stats()["cache_hits"] == 2


def test_a_filter_with_a_number_of_more_than_64_bits_is_searched_and_cached_like_any_other(rag):
    rag.batch_add_texts(["cats", "dogs"], metadatas=[{"x": 2**70}, {"x": 1}])
    for where in ({"x": {"$gt": 2**69}}, {"x": {"$ne": 2**70}}):
        for _ in range(2):
            assert rag.search_cached("cats", where=where) == rag.search("cats", where=where)
    assert rag.get_performance_stats()["cache_hits"] == 2


def test_each_combination_of_options_is_a_question_of_its_own(filled):
    for options in OPTIONS:
        filled.search_cached("cats purr", 3, **options)
    assert filled.get_performance_stats()["cache_misses"] == len(OPTIONS)


def test_a_filter_on_metadata_and_one_on_texts_choose_what_can_be_found(filled):
    assert set(ids(filled.search("cats", where={"kind": "cat"}))) == {"a", "b"}
    assert set(ids(filled.search("cats", where_document={"$contains": "loudly"}))) == {"b", "c"}
    assert ids(filled.search("cats", where={"kind": "cat"}, where_document={"$contains": "loudly"})) == ["b"]
    assert filled.search("cats", where={"kind": "bird"}) == []


def test_a_least_score_leaves_out_what_is_further(filled):
    found = filled.search("cats purr softly", min_score=0.6)
    assert found
    assert all(result.score >= 0.6 for result in found)
    assert filled.search("cats", min_score=1.0) == []


def test_keywords_bring_a_passage_up_that_has_the_words(make_rag):
    rag = make_rag(model=HashEmbedder(), exact=True)
    rag.batch_add_texts([f"passage number {number}" for number in range(50)], ids=[str(n) for n in range(50)])
    query = "number 37"
    plain, hybrid = ids(rag.search(query, 5)), ids(rag.search(query, 5, hybrid=True))
    assert hybrid[0] == "37" or "37" in hybrid
    assert "37" not in plain
    assert rag.search_cached(query, 5, hybrid=True) == rag.search_cached(query, 5, hybrid=True)
    rag.delete(ids=["37"])
    assert "37" not in ids(rag.search_cached(query, 5, hybrid=True))


def test_the_key_that_marks_passages_is_seen_nowhere(filled):
    for found in (filled.search("cats"), filled.search("cats", hybrid=True), filled.search("cats", diversity=0.5)):
        assert all(isinstance(result, SearchResult) and "_jarvisperf" not in result.metadata for result in found)


def test_many_queries_at_once_find_what_each_finds_alone(filled):
    queries = ["cats purr", "dogs", "code"]
    for options in OPTIONS:
        assert filled.search_many(queries, 2, **options) == [filled.search(query, 2, **options) for query in queries]
    assert filled.search_many([]) == []
    with pytest.raises(TypeError, match="queries is None: give a list of strings"):
        filled.search_many(None)


def test_many_queries_of_an_empty_collection_find_nothing(rag):
    assert rag.search_many(["cats", "dogs"]) == [[], []]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"where": "x"}, TypeError, "where is 'x': give a dictionary"),
        ({"where": {}}, ValueError, "where is {}"),
        ({"where": {"a": 1, "b": 2}}, ValueError, r"Chroma rejects the filter where=\{'a': 1, 'b': 2\}: .*exactly one"),
        ({"where": {"a": {"$near": 1}}}, ValueError, r"Chroma rejects the filter where=.*\$near"),
        ({"where_document": {"$has": "x"}}, ValueError, r"Chroma rejects the filter where_document=.*\$has"),
        ({"min_score": 2}, ValueError, "min_score is 2: give a number from -1 to 1"),
        ({"min_score": "high"}, TypeError, "min_score is 'high'"),
        ({"diversity": -0.1}, ValueError, "diversity is -0.1: give a number from 0 to 1"),
        ({"hybrid": 1}, TypeError, "hybrid is 1: give True or False"),
        ({"hybird": False}, TypeError, "unknown search option 'hybird'; choose from: where, .*hybrid"),
    ],
)
@pytest.mark.parametrize("method", ["search", "search_cached", "generate_context", "generate_context_cached"])
def test_options_that_make_no_sense_are_refused_with_the_reason(filled, method, given, error, message):
    for _ in range(2):
        with pytest.raises(error, match=message):
            getattr(filled, method)("cats", **given)
        getattr(filled, method)("cats")  # a cached answer does not hide the error


def test_options_of_their_default_values_are_no_options(filled, embedder):
    found = filled.search_cached("cats")
    defaults = {"where": None, "where_document": None, "min_score": None, "diversity": None, "hybrid": False}
    assert filled.search_cached("cats", **defaults) == found
    assert embedder.queries == ["cats"]


@pytest.mark.parametrize("method", ["search", "search_cached", "generate_context_cached"])
def test_a_number_of_more_than_4300_digits_is_like_any_other(filled, method):
    assert len(getattr(filled, method)("cats", n_results=10**5000)) >= 4
    with pytest.raises(ValueError, match="n_results is -0x"):
        getattr(filled, method)("cats", n_results=-(10**5000))


# Contexts within a budget


@pytest.mark.parametrize("method", ["generate_context", "generate_context_cached"])
def test_a_context_keeps_to_its_number_of_characters(filled, method):
    whole = getattr(filled, method)("cats purr", 4)
    for most in (10, 22, 50, 1000, 10**5000):
        context = getattr(filled, method)("cats purr", 4, max_chars=most)
        assert len(context) <= most
        assert whole.startswith(context)
    assert context == whole


def test_a_first_passage_that_does_not_fit_is_cut_between_words(filled):
    assert filled.generate_context("cats purr softly", max_chars=14) == "[1]\ncats purr"


@pytest.mark.parametrize(
    ("text", "most", "kept"),
    [
        ("猫は夜に喉を鳴らします。犬は吠えます。", 10, "猫は夜に喉を"),
        ("แมวร้องเสียงดังมาก", 7, "แมว"),  # not between a letter and its sign
        ("JarvisPerf測定する", 12, ""),
        ("JarvisPerf測定する", 15, "JarvisPerf測"),
    ],
)
def test_in_scripts_without_spaces_a_first_passage_is_cut_between_characters(make_rag, text, most, kept):
    rag = make_rag()
    rag.batch_add_texts([text])
    assert rag.generate_context("x", max_chars=most) == (f"[1]\n{kept}" if kept else "")


def test_where_not_even_a_word_fits_the_context_is_empty(filled):
    assert filled.generate_context("cats purr", max_chars=5) == ""


def test_a_context_keeps_to_its_number_of_tokens(make_rag, word_embedder):
    class Counting(word_embedder):
        def count_tokens(self, text):
            return len(text.split())

    rag = make_rag(model=Counting())
    rag.batch_add_texts(TEXTS)
    assert len(rag.generate_context("cats purr", 4, max_tokens=8).split()) == 8
    assert rag.generate_context_cached("cats purr", 4, max_tokens=8) == rag.generate_context(
        "cats purr", 4, max_tokens=8
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_chars": 0}, "max_chars is 0: give at least 1"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_chars": 5, "max_tokens": 5}, r"both max_chars \(5\) and max_tokens \(5\) are given"),
        ({"max_tokens": 5}, "max_tokens requires an embedder with the method count_tokens: give max_chars instead"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(filled, given, message):
    with pytest.raises(ValueError, match=message):
        filled.generate_context("cats", **given)


# Coroutines


def test_every_method_that_takes_long_has_a_twin_for_coroutines(filled):
    async def use():
        assert await filled.asearch("cats") == filled.search("cats")
        assert await filled.asearch_cached("cats") == filled.search("cats")
        assert await filled.asearch_many(["cats"]) == [filled.search("cats")]
        assert await filled.agenerate_context("cats") == filled.generate_context("cats")
        assert await filled.agenerate_context_cached("cats") == filled.generate_context("cats")
        assert (await filled.abatch_add_texts(["birds sing"])).added == 1
        assert await filled.adelete(ids=["a"]) == 1
        assert await filled.asources() == {}
        assert await asyncio.gather(*(filled.asearch("dogs") for _ in range(8))) == [filled.search("dogs")] * 8

    asyncio.run(use())


def test_a_twin_says_what_it_is_a_twin_of(rag):
    assert type(rag).asearch.__name__ == "asearch"
    assert "search" in type(rag).asearch.__doc__
    with pytest.raises(ValueError, match="at least one word"):
        asyncio.run(rag.asearch(" "))


# Near-duplicates


def test_the_semantic_tier_is_off_by_default(filled, embedder):
    filled.search_cached("what is the sea")
    filled.search_cached("What is sea?")
    assert filled.get_performance_stats()["paths"]["semantic"]["count"] == 0


def test_with_the_semantic_tier_the_same_question_in_other_words_is_one(make_rag):
    rag = make_rag(semantic_threshold=0.5)
    rag.batch_add_texts(TEXTS)
    first = rag.search_cached("do the cats purr")
    assert rag.search_cached("Do cats purr?") == first
    assert rag.get_performance_stats()["paths"]["semantic"]["count"] == 1
    assert rag.search_cached("do cats not purr") == rag.search("do cats not purr")
    rag.batch_add_texts(["do cats purr"])
    assert rag.search_cached("Do the cats purr?", 1)[0].text == "do cats purr"


@pytest.mark.parametrize("threshold", [-0.1, 1.1])
def test_a_threshold_outside_its_range_is_refused(make_rag, threshold):
    with pytest.raises(ValueError, match="semantic_threshold is"):
        make_rag(semantic_threshold=threshold)


def test_a_filter_can_be_given_by_position(rag):
    rag.batch_add_texts(["red apples", "green apples"], metadatas=[{"colour": "red"}, {"colour": "green"}])
    assert [hit.text for hit in rag.search("apples", 5, {"colour": "green"})] == ["green apples"]
    assert [hit.text for hit in rag.search_cached("apples", 5, {"colour": "green"})] == ["green apples"]


BAD_FILTERS = [{"year": {"$gt": "2024-01-01"}}, {"year": {"$near": 1}}, {"year": {"$in": []}}, {"$and": [{"year": 1}]}]


@pytest.mark.parametrize("where", BAD_FILTERS)
@pytest.mark.parametrize("hybrid", [False, True])
def test_a_filter_that_chroma_rejects_is_rejected_before_the_first_passage_and_after_the_last(rag, where, hybrid):
    def is_rejected_by_all():
        for ask in (rag.search, rag.search_cached, rag.generate_context_cached):
            with pytest.raises(ValueError, match="Chroma rejects the filter"):
                ask("cats", where=where, hybrid=hybrid)
        with pytest.raises(ValueError, match="Chroma rejects the filter"):
            rag.search_many(["cats"], where=where, hybrid=hybrid)

    is_rejected_by_all()
    rag.batch_add_texts(["cats"], ids=["cats"])
    is_rejected_by_all()
    rag.delete(ids=["cats"])
    is_rejected_by_all()


def test_a_filter_on_text_that_chroma_rejects_is_rejected_before_the_first_passage(rag):
    for ask in (rag.search, rag.search_cached):
        with pytest.raises(ValueError, match="rejects the filter"):
            ask("cats", where_document={"$contains": 1})


@pytest.mark.parametrize("key", ["chroma:document", "_jarvisperf"])
def test_an_answer_under_a_filter_on_a_key_that_chroma_keeps_is_never_stale(rag, key):
    where = {key: {"$ne": "x"}} if key == "_jarvisperf" else {key: "The pump stops at noon."}
    rag.batch_add_texts(["The garden opens at nine."])
    rag.search_cached("When does the pump stop?", where=where)
    rag.batch_add_texts(["The pump stops at noon."])
    found = rag.search("When does the pump stop?", where=where)
    assert found
    assert rag.search_cached("When does the pump stop?", where=where) == found


def test_tenants_with_the_same_sentence_each_have_their_own_passage(rag):
    for tenant in "ab":
        report = rag.batch_add_texts(["Vacation: 30 days a year."], metadatas=[{"tenant": tenant}])
        assert (report.added, report.replaced) == (1, 0)

    def found(tenant):
        asked = {"query": "vacation", "where": {"tenant": tenant}}
        one = rag.search(**asked)
        assert rag.search_cached(**asked) == one
        assert rag.search(**asked, hybrid=True) == one
        assert [result.metadata for result in one] == [{"tenant": tenant}] * len(one)
        return [result.id for result in one]

    (of_a,), (of_b,) = found("a"), found("b")
    assert of_a != of_b
    rag.delete(ids=[of_a])
    assert (found("a"), found("b")) == ([], [of_b])
