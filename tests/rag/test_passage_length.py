"""Tests that the length and overlap of passages are stored with the collection, and are changed only on request."""

from __future__ import annotations

import itertools

import pytest

from jarvisperf.rag import OptimizedRAG, StoreError

SENTENCES = [f"Sentence {number} says one thing more." for number in range(40)]


@pytest.fixture
def counting(word_embedder):
    """An embedder whose tokens are words, of which it reads 300."""

    class Counting(word_embedder):
        max_tokens = 300

        def count_tokens(self, text):
            return len(text.split())

    return Counting()


@pytest.fixture
def opened(make_rag, counting):
    return lambda **options: make_rag(model=counting, **options)


@pytest.fixture
def guide(write):
    return write("guide.txt", " ".join(SENTENCES))


def texts(rag):
    return [passage.text for passage in rag.get()]


def longest(rag, source=None):
    return max(len(passage.text.split()) for passage in rag.get(source=source))


def test_passages_have_at_most_so_many_tokens(opened, guide):
    rag = opened(max_tokens=24)
    rag.add_document_optimized(guide)
    assert 12 < longest(rag) <= 24
    assert " ".join(texts(rag)) == " ".join(SENTENCES)


def test_each_passage_repeats_the_end_of_the_one_before(opened, guide):
    rag = opened(max_tokens=24, overlap=8)
    rag.add_document_optimized(guide)
    assert longest(rag) <= 24
    parts = texts(rag)
    assert len(parts) > 10
    for before, after in itertools.pairwise(parts):
        assert after.startswith(before[before.rindex("Sentence") :])


def test_what_was_chosen_first_holds_for_who_chooses_nothing(opened, guide, write):
    with opened(max_tokens=24) as rag:
        rag.add_document_optimized(guide)
    with opened() as rag:
        other = write("other.txt", " ".join(SENTENCES))
        rag.add_document_optimized(other)
        assert 12 < longest(rag) <= 24
        assert rag.verify([guide, other]) == []


@pytest.mark.parametrize("first", [{"max_tokens": 24, "overlap": 6}, {}])
@pytest.mark.parametrize("other", [{"max_tokens": 48}, {"overlap": 4}])
def test_another_choice_is_refused_with_both_and_the_way_out(opened, guide, write, first, other):
    with opened(**first) as rag:
        rag.add_document_optimized(guide)
        before = texts(rag)
    rag = opened(**other)
    for use in (
        lambda: rag.add_document_optimized(guide),
        lambda: rag.add_documents([write("more.txt", "More.")]),
        lambda: rag.verify([guide]),
    ):
        with pytest.raises(StoreError, match=r"are split with max_tokens=\d+ and overlap=\d, but .* call resplit\(\)"):
            use()
    assert texts(rag) == before


def test_files_are_split_again_on_request(opened, guide, write):
    gone = write("gone.txt", " ".join(SENTENCES))
    with opened(max_tokens=24) as rag:
        rag.add_documents([guide, gone])
        rag.batch_add_texts(["A text of its own."], metadatas=[{"source": "notes"}])
    gone.unlink()
    rag = opened(max_tokens=60)
    report = rag.resplit()
    assert [failure.path for failure in report.failures] == [str(gone)]
    assert 24 < longest(rag, guide) <= 60
    assert longest(rag, gone) <= 24
    assert len(rag.get(source="notes")) == 1
    assert {passage.source for passage in rag.get(source=guide)} == {"guide.txt"}
    assert opened().verify([guide]) == []


def test_splitting_again_without_a_choice_returns_to_the_defaults(opened, guide):
    with opened(max_tokens=24) as rag:
        rag.add_document_optimized(guide)
    rag = opened()
    rag.resplit()
    assert longest(rag) > 24
    with pytest.raises(StoreError, match="max_tokens=256"):
        opened(max_tokens=24).add_document_optimized(guide)


def test_a_collection_that_holds_no_files_can_be_split_in_any_way(opened, guide):
    with opened(max_tokens=24) as rag:
        rag.add_document_optimized(guide)
        rag.delete(source=guide)
        rag.batch_add_texts(["A text of its own."])
    with opened(max_tokens=48) as rag:
        rag.add_document_optimized(guide)
    assert 24 < longest(opened(max_tokens=48), guide) <= 48


def test_texts_that_have_a_position_of_their_own_are_no_files(opened, guide):
    rag = opened(max_tokens=24)
    rag.batch_add_texts(["A text of its own."], metadatas=[{"position": 0}])
    rag.add_document_optimized(guide)
    assert longest(rag, guide) <= 24


def test_recording_the_choice_ends_no_answer(opened, guide, counting):
    rag = opened(max_tokens=24)
    rag.batch_add_texts(["cats purr at night"])
    rag.search_cached("cats purr at night", n_results=1)
    rag.add_document_optimized(guide)
    counting.queries.clear()
    rag.search_cached("cats purr at night", n_results=1)
    assert counting.queries == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_tokens": 7}, "max_tokens is 7"),
        ({"overlap": -1}, "overlap is -1"),
        ({"max_tokens": 24, "overlap": 13}, "overlap is 13 with max_tokens 24: give at most half of it"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, options, said):
    with pytest.raises(ValueError, match=said):
        OptimizedRAG(tmp_path, **options)


def test_more_tokens_than_the_model_reads_are_refused(opened, guide):
    with pytest.raises(ValueError, match="max_tokens is 301, but the model reads 300 tokens"):
        opened(max_tokens=301).add_document_optimized(guide)


def test_an_embedder_that_cannot_count_tokens_is_named_as_the_reason(make_rag, guide):
    with pytest.raises(ValueError, match="require an embedder with count_tokens"):
        make_rag(max_tokens=24).add_document_optimized(guide)
