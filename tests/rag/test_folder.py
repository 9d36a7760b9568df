from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3

import pytest

from jarvisperf.rag.store.folder import FolderHome, StateFile
from jarvisperf.rag.store.generation import CollectionState


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.json"


@pytest.fixture
def home(tmp_path, require):
    require("chromadb")
    home = FolderHome(tmp_path / "chroma", "documents")
    home.connect()
    yield home
    home.disconnect()


@pytest.mark.parametrize("writing", [True, False])
def test_a_state_is_read_as_it_was_written(path, writing):
    state = CollectionState("collection", (("", "generation"),), writing)
    StateFile(path).write(state, 7)
    assert StateFile(path).read() == state


def test_each_change_is_seen_by_a_reader_that_has_read_before(path):
    reader, writer = StateFile(path), StateFile(path)
    for number in range(20):
        state = CollectionState("c", (("", f"g{number}"),), writing=number % 2 == 0)
        writer.write(state, 7)
        assert reader.read() == state


def test_where_there_is_no_file_the_state_is_unknown(path):
    assert StateFile(path).read() is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema": 2}', b"\xff\x00", b'{"schema":1,"writing":0}'])
def test_a_file_of_another_form_is_an_unknown_state(path, content):
    path.write_bytes(content)
    assert StateFile(path).read() is None


def test_a_state_of_another_schema_is_unknown(path):
    StateFile(path).write(CollectionState("c", (("", "g"),), writing=False), 7)
    path.write_bytes(path.read_bytes().replace(b'"schema":2', b'"schema":1'))
    assert StateFile(path).read() is None


def test_a_write_leaves_no_other_files(path):
    StateFile(path).write(CollectionState("c", (("", "g"),), writing=False), 7)
    assert list(path.parent.iterdir()) == [path]


def test_a_first_opening_begins_a_generation(home):
    assert home.read_state() is None
    home.settle("c")
    assert home.read_state().collection == "c"
    assert not home.read_state().writing


def test_opening_again_keeps_the_generation(home):
    home.settle("c")
    before = home.read_state()
    home.settle("c")
    assert home.read_state() == before


def test_another_collection_of_the_same_name_begins_a_generation(home):
    home.settle("c")
    before = home.read_state()
    home.settle("d")
    assert home.read_state().heads != before.heads


def test_a_write_is_marked_while_it_lasts_and_ends_with_a_new_generation(home):
    home.settle("c")
    before = home.read_state()
    with home.writing("c"):
        assert home.read_state().writing
    after = home.read_state()
    assert not after.writing
    assert after.heads != before.heads


def test_a_write_that_fails_ends_with_a_new_generation_too(home):
    home.settle("c")
    before = home.read_state()
    with pytest.raises(KeyError), home.writing("c"):
        raise KeyError
    assert not home.read_state().writing
    assert home.read_state().heads != before.heads


def test_collections_of_one_folder_have_their_own_states(home, tmp_path):
    home.settle("c")
    other = FolderHome(tmp_path / "chroma", "Documents")
    assert other.read_state() is None


def test_only_the_mark_of_a_write_waits_for_the_disk(home, monkeypatch):
    home.settle("c")
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with home.writing("c"):
        assert len(synced) == 2  # the file and its folder
    assert len(synced) == 2


def test_a_mark_whose_removal_was_lost_with_the_power_ends_all_answers(home, tmp_path):
    home.settle("c")
    before = home.read_state()
    (file,) = (tmp_path / "chroma").glob("jarvisperf-state-*.json")
    with home.writing("c"):
        shutil.copy(file, tmp_path / "marked")
    after = home.read_state()
    (tmp_path / "marked").replace(file)
    next_process = FolderHome(tmp_path / "chroma", "documents")
    next_process.settle("c")
    assert not next_process.read_state().writing
    assert next_process.read_state().heads not in {before.heads, after.heads}


def test_a_log_whose_position_cannot_be_read_does_not_open_chroma_again(home, tmp_path):
    home.settle("c")
    client = home.renew()
    with contextlib.closing(sqlite3.connect(tmp_path / "chroma" / "chroma.sqlite3")) as connection, connection:
        connection.execute("ALTER TABLE max_seq_id RENAME TO renamed")
    assert home.read_state() is None
    assert home.renew() is client
