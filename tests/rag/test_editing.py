"""Tests reading, changing and removing passages by id, source and filter, and that cached answers follow."""

from __future__ import annotations

import asyncio

import pytest

from jarvisperf.rag import StoredPassage

CATS, DOGS, BIRDS = "cats purr at night", "dogs bark at noon", "birds sing at dawn"


@pytest.fixture
def rag(make_rag):
    rag = make_rag()
    rag.batch_add_texts(
        [CATS, DOGS, BIRDS],
        ids=["1", "2", "3"],
        metadatas=[{"kind": "pet", "year": 2020}, {"kind": "pet"}, {"kind": "wild", "source": "birds"}],
    )
    return rag


def ids(passages):
    return [passage.id for passage in passages]


def test_passages_are_read_as_they_are_stored(rag):
    assert rag.get(["1"]) == [StoredPassage(id="1", text=CATS, metadata={"kind": "pet", "year": 2020})]
    assert rag.get(source="birds") == [
        StoredPassage(id="3", text=BIRDS, metadata={"kind": "wild", "source": "birds"}, source="birds")
    ]
    assert rag.get(["3"])[0].to_dict()["metadata"] == {"kind": "wild", "source": "birds"}


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, ["1", "2", "3"]),
        ({"ids": ["2", "unknown"]}, ["2"]),
        ({"ids": []}, []),
        ({"ids": ["1"], "source": "birds"}, ["1", "3"]),
        ({"where": {"kind": "pet"}}, ["1", "2"]),
        ({"where_document": {"$contains": "night"}}, ["1"]),
        ({"where": {"kind": "pet"}, "where_document": {"$contains": "dogs"}}, ["2"]),
        ({"ids": ["1", "3"], "where": {"kind": "pet"}}, ["1"]),
        ({"source": "birds", "where": {"kind": "pet"}}, []),
        ({"where": {"kind": "none"}}, []),
    ],
)
def test_a_filter_restricts_what_ids_and_source_name(rag, chosen, found):
    assert ids(rag.get(**chosen)) == found


def test_the_passages_of_a_file_are_read_in_its_order(make_rag, write, require):
    require("markdown_it")
    rag = make_rag()
    file = write("guide.md", "\n\n".join(f"# Part {number}\n\nText {number}." for number in range(12)))
    rag.add_document_optimized(file)
    for named in ({"source": file}, {"where": {"source": str(file)}}, {}):
        assert [passage.metadata["position"] for passage in rag.get(**named)] == list(range(12))
    assert {passage.source for passage in rag.get()} == {"guide.md"}


def test_a_deletion_by_filter_ends_answers_with_what_was_removed(rag):
    assert ids(rag.search_cached("cats and dogs")) == ids(rag.search("cats and dogs"))
    assert rag.delete(where={"kind": "pet"}) == 2
    assert ids(rag.search_cached("cats and dogs")) == ["3"]
    assert rag.delete(where={"kind": "pet"}) == 0


def test_a_deletion_by_id_and_filter_removes_what_both_mean(rag):
    assert rag.delete(["1", "3"], where={"kind": "pet"}) == 1
    assert ids(rag.get()) == ["2", "3"]


def test_metadata_is_set_and_removed_where_the_rest_stays(rag, embedder):
    embedder.documents.clear()
    assert rag.update({"kind": "animal", "year": None, "tags": ["a", "b"]}, where={"kind": "pet"}) == 2
    assert [dict(passage.metadata) for passage in rag.get()] == [
        {"kind": "animal", "tags": ("a", "b")},
        {"kind": "animal", "tags": ("a", "b")},
        {"kind": "wild", "source": "birds"},
    ]
    assert [passage.text for passage in rag.get()] == [CATS, DOGS, BIRDS]
    assert embedder.documents == []


def test_an_update_that_changes_nothing_writes_nothing(rag, embedder):
    rag.search_cached("cats", n_results=1)
    embedder.queries.clear()
    assert rag.update({"kind": "pet"}, where={"kind": "pet"}) == 0
    assert rag.update({"kind": "pet"}, ["unknown"]) == 0
    rag.search_cached("cats", n_results=1)
    assert embedder.queries == []


@pytest.mark.parametrize("asked", [{"where": {"kind": "pet"}}, {"where": {"kind": "wild"}}, {}])
def test_answers_follow_an_update(rag, asked):
    rag.search_cached("animals at night", **asked)
    rag.update({"kind": "wild"}, ["1"])
    assert rag.search_cached("animals at night", **asked) == rag.search("animals at night", **asked)


def test_a_distant_update_keeps_an_answer(rag, embedder):
    rag.search_cached("cats purr", n_results=1)
    rag.update({"kind": "flock"}, ["3"])
    embedder.queries.clear()
    rag.search_cached("cats purr", n_results=1)
    assert embedder.queries == []


def test_a_text_added_as_it_was_before_its_update_is_replaced_and_as_it_is_now_is_unchanged(rag):
    rag.update({"kind": "animal"}, ["2"])
    assert rag.batch_add_texts([DOGS], ids=["2"], metadatas=[{"kind": "animal"}]).unchanged == 1
    assert rag.batch_add_texts([DOGS], ids=["2"], metadatas=[{"kind": "pet"}]).replaced == 1
    assert rag.get(["2"])[0].metadata == {"kind": "pet"}


def test_what_is_updated_in_a_file_stays_until_that_part_changes(make_rag, write, require):
    require("markdown_it")
    rag = make_rag()
    file = write("guide.md", "# One\n\nFirst text.\n\n# Two\n\nSecond text.")
    rag.add_document_optimized(file)
    assert rag.update({"tenant": "a"}, source=file) == 2
    file.write_text("# One\n\nFirst text.\n\n# Two\n\nAnother text.")
    report = rag.add_document_optimized(file)
    assert (report.unchanged, report.added, report.removed) == (1, 1, 1)
    assert [passage.metadata.get("tenant") for passage in rag.get(source=file)] == ["a", None]
    assert rag.verify([file]) == []


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda rag: rag.delete(), ValueError, "say what to delete"),
        (lambda rag: rag.update({"a": 1}), ValueError, "say what to update"),
        (lambda rag: rag.update({}, ["1"]), ValueError, "give at least one key"),
        (lambda rag: rag.update({"source": "x"}, ["1"]), ValueError, "add the texts again"),
        (lambda rag: rag.update({"_jarvisperf": "x"}, ["1"]), ValueError, "reserved"),
        (lambda rag: rag.update(["a"], ["1"]), TypeError, "give a dictionary"),
        (lambda rag: rag.delete(where={}), ValueError, "give a condition"),
        (lambda rag: rag.delete(where={"year": {"$gt": "2020"}}), ValueError, "Chroma rejects the filter"),
        (lambda rag: rag.get("1"), TypeError, "give a list"),
        (lambda rag: rag.get([1]), TypeError, "ids contains 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(rag, call, error, said):
    with pytest.raises(error, match=said):
        call(rag)
    assert ids(rag.get()) == ["1", "2", "3"]


def test_coroutine_versions(rag):
    async def edit():
        assert await rag.aupdate({"kind": "animal"}, ["1"]) == 1
        assert [passage.metadata["kind"] for passage in await rag.aget(["1"])] == ["animal"]
        assert await rag.adelete(where={"kind": "animal"}) == 1

    asyncio.run(edit())
