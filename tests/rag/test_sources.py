"""Tests how files are named: in results, contexts, filters and deletions."""

from __future__ import annotations

import pytest

TEXT = "# Start\n\nThe port is 8080.\n"


@pytest.fixture
def folder(tmp_path, monkeypatch, require):
    require("markdown_it")
    folder = tmp_path / "work"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "guide.md").write_text(TEXT)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("given", "shown"),
    [("docs/guide.md", "docs/guide.md"), ("./docs/guide.md", "docs/guide.md"), ("{folder}/docs/guide.md", "guide.md")],
)
def test_contexts_and_results_name_a_file_as_it_was_added_without_the_servers_folders(rag, folder, given, shown):
    rag.add_document_optimized(given.format(folder=folder))
    (found,) = rag.search("port")
    assert found.source == shown
    assert found.metadata["source"] == str(folder / "docs" / "guide.md")
    assert not [key for key in found.metadata if key.startswith("_")]
    for context in (rag.generate_context("port"), rag.generate_context_cached("port")):
        assert context.startswith(f"[1] {shown}, Start\n")
        assert str(folder) not in context


@pytest.mark.parametrize(
    "name", ["docs/guide.md", "./docs/guide.md", "docs/../docs/guide.md", "{folder}/docs/guide.md"]
)
def test_a_filter_on_a_source_means_what_a_deletion_means(rag, folder, name):
    name = name.format(folder=folder)
    rag.add_document_optimized("docs/guide.md")
    rag.batch_add_texts(["Another port."], metadatas=[{"source": "notes"}])

    def found(where):
        results = rag.search("port", where=where)
        assert rag.search_cached("port", where=where) == results
        assert rag.search("port", where=where, hybrid=True) == results
        return sorted(result.source for result in results)

    for where in ({"source": name}, {"source": {"$eq": name}}, {"source": {"$in": [name, "other"]}}):
        assert found(where) == ["docs/guide.md"]
        assert found({"$and": [where, {"position": 0}]}) == ["docs/guide.md"]
    for where in ({"source": {"$ne": name}}, {"source": {"$nin": [name]}}, {"source": "notes"}):
        assert found(where) == ["notes"]
    assert rag.delete(source=name) == 1
    assert found({"source": name}) == []


@pytest.mark.parametrize("source", ["\0", "~nobody-of-this-name/x", "https://example.org/a?b=c", ""])
def test_a_source_that_is_no_path_is_found_by_its_name(rag, source):
    rag.batch_add_texts(["A port."], metadatas=[{"source": source}])
    assert [found.source for found in rag.search("port", where={"source": source})] == [source]


def test_the_working_folder_is_part_of_what_a_relative_source_means(rag, folder, tmp_path, monkeypatch):
    rag.add_document_optimized("docs/guide.md")
    assert rag.search_cached("port", where={"source": "docs/guide.md"})
    monkeypatch.chdir(tmp_path)
    assert rag.search_cached("port", where={"source": "docs/guide.md"}) == []


@pytest.mark.parametrize(("given", "shown"), [("docs", "docs/sub/guide.md"), (".", "docs/sub/guide.md")])
def test_a_file_of_a_folder_is_named_by_its_place_in_that_folder(rag, tmp_path, monkeypatch, given, shown):
    (tmp_path / "docs/sub").mkdir(parents=True)
    (tmp_path / "docs/sub/guide.md").write_text("# Cats\n\nCats purr when they are content.\n")
    monkeypatch.chdir(tmp_path)
    rag.add_documents([given])
    assert [found.source for found in rag.search("cats purr")] == [shown]
    rag.add_documents([tmp_path / "docs"])
    assert str(tmp_path) not in rag.generate_context("cats purr")
    assert not rag.verify([tmp_path / "docs"])


@pytest.mark.parametrize("source", ["~nobody-of-this-name/x", "loop.md", "a\0b", "guide.md"])
def test_what_a_source_names_is_the_same_for_searching_reading_changing_and_removing(rag, folder, source):
    (folder / "loop.md").symlink_to("loop.md")
    (folder / "guide.md").write_text(TEXT)
    rag.add_document_optimized("guide.md")
    rag.batch_add_texts(["A port by hand."], metadatas=[{"source": source}])
    found = {result.id for result in rag.search("port", where={"source": source})}
    assert len(found) == (2 if source == "guide.md" else 1)
    assert {passage.id for passage in rag.get(source=source)} == found
    assert rag.update({"seen": True}, source=source) == len(found)
    assert rag.delete(source=source) == len(found)


@pytest.mark.parametrize("wanted", [["a.md"], {"$eq": ["a.md"]}, {"$ne": ["a.md"]}, {"$in": "a.md"}, {"$nin": "a.md"}])
@pytest.mark.parametrize("is_filled", [False, True])
def test_a_condition_that_chroma_rejects_is_rejected_on_a_source_too(rag, wanted, is_filled):
    if is_filled:
        rag.batch_add_texts(["A port."], metadatas=[{"source": "a.md"}])
    for ask in (rag.search, rag.search_cached):
        with pytest.raises(ValueError, match="Chroma rejects the filter"):
            ask("port", where={"source": wanted})
