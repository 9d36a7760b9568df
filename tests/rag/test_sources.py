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
