"""Tests that the collection mirrors a folder: new, changed, moved, deleted and ignored files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def docs(tmp_path, require):
    require("markdown_it")
    folder = tmp_path / "docs"
    for name, text in {"a.md": "Cats purr.", "sub/b.txt": "Dogs bark.", "c.md": "Birds sing."}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def names(rag, folder):
    return sorted(Path(source).relative_to(folder).as_posix() for source in rag.sources())


@pytest.mark.parametrize("as_list", [False, True])
def test_what_a_deleted_file_said_goes_and_the_report_names_it(rag, docs, as_list):
    given = [docs] if as_list else docs
    assert rag.add_documents(given).added == 3
    (docs / "a.md").unlink()
    report = rag.add_documents(given)
    assert report.missing == (str(docs / "a.md"),)
    assert (report.removed, report.unchanged) == (1, 2)
    assert names(rag, docs) == ["c.md", "sub/b.txt"]


def test_passages_of_missing_files_can_be_kept(rag, docs):
    rag.add_documents(docs)
    (docs / "a.md").unlink()
    assert rag.add_documents(docs, keep_missing=True).missing == ()
    assert names(rag, docs) == ["a.md", "c.md", "sub/b.txt"]


def test_a_moved_file_is_found_at_its_new_place_without_being_embedded_again(rag, docs):
    rag.add_documents(docs)
    (docs / "a.md").rename(docs / "sub" / "z.md")
    report = rag.add_documents(docs)
    assert (report.added, report.embedded, report.reused, report.removed) == (1, 0, 1, 1)
    assert names(rag, docs) == ["c.md", "sub/b.txt", "sub/z.md"]


def test_other_folders_and_texts_added_by_hand_stay(rag, docs):
    sibling = docs.with_name("docs2")
    sibling.mkdir()
    (sibling / "a.md").write_text("Fish swim.")
    rag.add_documents([docs, sibling])
    rag.batch_add_texts(["By hand."], metadatas=[{"source": str(docs / "note.md")}])
    (sibling / "a.md").unlink()
    (docs / "a.md").unlink()
    assert rag.add_documents(docs).missing == (str(docs / "a.md"),)
    assert {str(sibling / "a.md"), str(docs / "note.md")} <= rag.sources().keys()


def test_a_file_that_can_no_longer_be_read_is_a_failure_and_keeps_its_passages(rag, docs):
    rag.add_documents(docs)
    (docs / "a.md").write_bytes(b"\xff")
    report = rag.add_documents(docs)
    assert [Path(failure.path).name for failure in report.failures] == ["a.md"]
    assert "a.md" in names(rag, docs)


def test_a_folder_that_cannot_be_listed_does_not_count_as_empty(rag, docs, monkeypatch):
    rag.add_documents(docs)
    scan = os.scandir

    def refuse(path):
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    report = rag.add_documents(docs)
    assert "Permission denied" in report.failures[0].reason
    assert names(rag, docs) == ["a.md", "c.md", "sub/b.txt"]


def test_what_belongs_to_tools_or_is_ignored_is_not_added(rag, docs):
    for name, text in {
        ".git/x.md": "",
        ".hidden.md": "",
        ".venv/lib/x.txt": "",
        "env/pyvenv.cfg": "",
        "env/lib/x.txt": "",
        "node_modules/left/README.md": "",
        "sub/__pycache__/x.txt": "",
        "build/x.md": "",
        "sub/draft.md": "",
        "sub/keep.md": "",
        ".gitignore": "build/\n",
        "sub/.jarvisperfignore": "*.md\n!keep.md\n",
    }.items():
        path = docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text or "Noise.")
    report = rag.add_documents(docs)
    assert report.failures == ()
    assert names(rag, docs) == ["a.md", "c.md", "sub/b.txt", "sub/keep.md"]


def test_a_file_that_is_ignored_later_goes(rag, docs):
    rag.add_documents(docs)
    (docs / ".gitignore").write_text("a.md\n")
    assert rag.add_documents(docs).missing == (str(docs / "a.md"),)


def test_files_of_unknown_types_are_named(rag, docs):
    (docs / "sub" / "x.xyz").write_bytes(b"\0")
    report = rag.add_documents(docs)
    assert report.unsupported == (str(docs / "sub" / "x.xyz"),)
    assert len(report.files) == 3


def test_a_folder_given_through_a_link_is_the_same_folder(rag, docs, tmp_path):
    (tmp_path / "link").symlink_to(docs)
    rag.add_documents(docs)
    (docs / "a.md").unlink()
    report = rag.add_documents(tmp_path / "link")
    assert (report.unchanged, report.missing) == (2, (str(docs / "a.md"),))


def test_verify_finds_passages_that_are_missing_orphaned_or_from_another_model(rag, make_rag, word_embedder, docs):
    rag.add_documents(docs)
    assert rag.verify([docs]) == []
    rag.delete(source=docs / "a.md")
    (docs / "c.md").unlink()
    found = {Path(one.source).name: (one.missing, one.orphaned, one.changed) for one in rag.verify([docs])}
    assert found == {"a.md": (1, 0, 0), "c.md": (0, 1, 0)}
    other = make_rag(model=word_embedder("words:2"))
    assert {Path(one.source).name: one.changed for one in other.verify([docs])}["b.txt"] == 1
    rag.add_documents(docs)
    assert rag.verify([docs]) == []


def test_verify_names_what_cannot_be_read(rag, docs):
    (docs / "bad.txt").write_bytes(b"\xff")
    rag.add_documents(docs)
    (one,) = rag.verify([docs])
    assert "is not UTF-8" in one.unread[0]


def test_a_link_that_leads_nowhere_is_a_failure_of_its_own_and_holds_up_no_other_file(rag, docs):
    rag.add_documents(docs)
    (docs / "loop.md").symlink_to("loop.md")
    (docs / "link.md").symlink_to("a.md")
    (docs / "a.md").unlink()
    (docs / "new.md").write_text("Fish swim.")
    found = {Path(one.source).name: (one.missing, one.orphaned) for one in rag.verify([docs])}
    assert found == {"a.md": (0, 1), "link.md": (0, 0), "loop.md": (0, 0), "new.md": (1, 0)}
    report = rag.add_documents(docs)
    assert sorted(Path(failure.path).name for failure in report.failures) == ["link.md", "loop.md"]
    assert (report.added, report.missing) == (1, (str(docs / "a.md"),))
    assert names(rag, docs) == ["c.md", "new.md", "sub/b.txt"]


def test_verify_counts_the_passages_of_a_named_file_that_is_gone(rag, docs):
    rag.add_documents(docs)
    (docs / "a.md").unlink()
    (one,) = rag.verify([docs / "a.md"])
    assert one.orphaned == 1
    assert "is not a file" in one.unread[0]


@pytest.mark.parametrize("given", ["~nobody-of-this-name/x", "a\0b"])
def test_what_cannot_be_a_path_is_refused_by_name(rag, make_rag, given):
    for call in (lambda: rag.verify([given]), lambda: rag.add_documents(given), lambda: make_rag(path=given)):
        with pytest.raises((ValueError, TypeError)) as caught:
            call()
        assert repr(given) in str(caught.value)
