"""Tests concurrent writes and cached searches, one interleaving per test."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rag.hash_embedder import HashEmbedder
from waiting import PROCESS_SECONDS

from jarvisperf.rag import StoreError, StoreInUseError
from jarvisperf.rag.store.folder import FolderHome
from jarvisperf.rag.store.folder.lock import LOCK_NAME

OLD, NEW = "cats purr at night", "cats purr"


class Hooked:
    """A cache that calls a function right before an answer is stored."""

    def __init__(self, cache):
        self.cache = cache
        self.before_set = lambda: None
        self.stored = []

    def get(self, key):
        return self.cache.get(key)

    def set(self, key, value, *, ttl):
        if key.startswith("rag:search:"):
            hook, self.before_set = self.before_set, lambda: None
            hook()
        if not key.startswith("rag:change:"):
            self.stored.append(key)
        self.cache.set(key, value, ttl=ttl)


@pytest.fixture
def hooked(cache):
    return Hooked(cache)


@pytest.fixture
def rag(make_rag, hooked):
    rag = make_rag(cache=hooked)
    rag.batch_add_texts([OLD])
    return rag


@pytest.fixture
def home(tmp_path):
    home = FolderHome(tmp_path / "chroma", "documents")
    home.connect()
    yield home
    home.disconnect()


def best(rag):
    """Return the best passage, after checking that search, cached search and both contexts agree on it."""
    found = rag.search("cats purr", n_results=1)
    assert rag.search_cached("cats purr", n_results=1) == found
    context = rag.generate_context("cats purr", n_results=1)
    assert rag.generate_context_cached("cats purr", n_results=1) == context
    return found[0].text


def test_a_text_that_was_added_is_found_by_the_next_cached_search(rag):
    assert best(rag) == OLD
    rag.batch_add_texts([NEW])
    assert best(rag) == NEW


def test_a_file_that_was_added_and_changed_is_found_as_it_is(rag, tmp_path, require):
    require("markdown_it")
    path = tmp_path / "a.txt"
    for text in (NEW, "purr purr cats"):
        path.write_text(text)
        rag.add_document_optimized(path)
        assert best(rag) == text
    path.write_text("")
    rag.add_document_optimized(path)
    assert best(rag) == OLD


def test_new_metadata_of_a_known_text_is_found(rag):
    best(rag)
    rag.batch_add_texts([OLD], metadatas=[{"year": 2020}])
    assert rag.search_cached("cats purr", n_results=1)[0].metadata == {"year": 2020}


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("asked", [{"n_results": 1001}, {"n_results": 251, "diversity": 0.5}])
def test_an_answer_with_all_there_is_ends_with_any_addition_however_many_were_asked_for(make_rag, asked, exact):
    rag = make_rag(exact=exact)
    rag.batch_add_texts([OLD])
    rag.search_cached("cats purr", **asked)
    rag.batch_add_texts(["a zebra at the piano"])
    assert len(rag.search_cached("cats purr", **asked)) == len(rag.search("cats purr", **asked)) == 2


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ({"language": {"$eq": "pt"}}, lambda where: where["language"].update({"$eq": "en"})),
        ({"language": {"$in": ["pt"]}}, lambda where: where["language"]["$in"].append("en")),
    ],
)
def test_a_filter_that_its_owner_changes_afterwards_is_the_old_one_for_its_answer(make_rag, where, change):
    rag = make_rag()
    rag.batch_add_texts([OLD], metadatas=[{"language": "pt"}])
    asked = copy.deepcopy(where)
    rag.search_cached("cats purr", where=where)
    change(where)
    rag.batch_add_texts([NEW], metadatas=[{"language": "pt"}])
    found = rag.search_cached("cats purr", where=asked)
    assert found == rag.search("cats purr", where=asked)
    assert len(found) == 2


def test_a_filter_that_changes_while_the_answer_is_computed_is_searched_as_it_was_asked(make_rag, embedder):
    rag = make_rag()
    rag.batch_add_texts([OLD, NEW], metadatas=[{"language": "pt"}, {"language": "en"}])
    where = {"language": {"$eq": "pt"}}
    embedder.before_query = lambda: where["language"].update({"$eq": "en"})
    assert [result.text for result in rag.search_cached("cats purr", where=where)] == [OLD]


def test_collections_and_models_that_share_a_cache_each_have_their_own_answers(make_rag, word_embedder):
    rags = [
        make_rag(collection="one"),
        make_rag(collection="two"),
        make_rag(collection="one", model=word_embedder("words:2")),
    ]
    rags[0].batch_add_texts([OLD])
    rags[1].batch_add_texts([NEW])
    for _ in range(2):
        assert [rag.search_cached("cats purr")[0].text for rag in rags] == [OLD, NEW, OLD]
    assert [rag.get_performance_stats()["cache_hits"] for rag in rags] == [1, 1, 1]


def test_an_equally_near_text_that_comes_first_by_its_id_is_found(make_rag):
    rag = make_rag(exact=True)
    for key in ("b", "a"):
        rag.batch_add_texts([OLD], ids=[key])
        assert rag.search_cached("cats purr", n_results=1)[0].id == key


@pytest.mark.parametrize(
    ("where", "batch_size"), [("store.chroma", 100), ("ingest.ingestor", 1)], ids=["one batch", "several"]
)
def test_a_call_that_changes_more_than_is_recorded_ends_all_answers(rag, monkeypatch, where, batch_size):
    monkeypatch.setattr(f"jarvisperf.rag.{where}.MOST_VECTORS_PER_CALL", 1)
    best(rag)
    rag.batch_add_texts(["a zebra at the piano", NEW], batch_size=batch_size)
    assert best(rag) == NEW


def test_a_hybrid_answer_ends_with_any_addition_however_far_for_words_count_too(make_rag):
    rag = make_rag(model=HashEmbedder(), exact=True)
    rag.batch_add_texts([f"text {number}" for number in range(40)])
    asked = {"query": "zebra", "n_results": 3, "hybrid": True}
    rag.search_cached(**asked)
    for number in range(4):
        rag.batch_add_texts([f"zebra {number}"])
        assert rag.search_cached(**asked) == rag.search(**asked)


@pytest.mark.parametrize("option", [{"diversity": 1.0}, {"min_score": 0.5}, {"n_results": 2}], ids=str)
def test_a_question_that_differs_in_one_option_is_another_question(make_rag, option):
    rag = make_rag(model=HashEmbedder(), exact=True)
    rag.batch_add_texts([f"text {number}" for number in range(12)])
    plain = rag.search_cached("zebra")
    assert rag.search_cached("zebra", **option) == rag.search("zebra", **option) != plain


def test_with_variety_a_candidate_that_was_not_chosen_and_goes_makes_room_for_another(make_rag):
    rag = make_rag(model=HashEmbedder(), exact=True)
    rag.batch_add_texts([f"text {number}" for number in range(40)])
    asked = {"query": "zebra", "n_results": 3, "diversity": 1.0}
    for _ in range(12):
        chosen = rag.search_cached(**asked)
        nearest = [result.id for result in rag.search("zebra", 20) if result not in chosen]
        rag.delete(ids=nearest[-1:])
        assert rag.search_cached(**asked) == rag.search(**asked)


@pytest.mark.parametrize("where_document", [{"$contains": "night"}, {"$not_contains": "night"}])
def test_a_filter_on_texts_is_part_of_what_is_asked_and_of_what_an_addition_may_change(make_rag, where_document):
    rag = make_rag()
    rag.batch_add_texts([OLD, NEW])
    asked = {"query": "cats purr", "n_results": 1, "where_document": where_document}
    rag.search_cached("cats purr", n_results=1)
    assert rag.search_cached(**asked) == rag.search(**asked)
    rag.batch_add_texts(["cats purr night", "cats purr, cats purr"])
    assert rag.search_cached(**asked) == rag.search(**asked)


def test_another_rag_on_the_same_folder_and_cache_sees_the_write(rag, make_rag):
    other = make_rag()
    assert best(other) == best(rag) == OLD
    rag.batch_add_texts([NEW])
    assert best(other) == NEW


def test_an_answer_computed_before_a_write_and_stored_after_it_is_not_found(rag, hooked):
    hooked.before_set = lambda: rag.batch_add_texts([NEW])
    assert rag.search_cached("cats purr", n_results=1)[0].text == OLD
    assert len(hooked.stored) == 1
    assert best(rag) == NEW


def test_an_answer_computed_across_a_write_is_not_stored(rag, hooked, embedder):
    embedder.before_query = lambda: rag.batch_add_texts([NEW])
    rag.search_cached("cats purr", n_results=1)
    assert hooked.stored == []
    assert best(rag) == NEW


def test_while_a_write_goes_on_the_cache_is_neither_read_nor_written(rag, hooked, home):
    best(rag)
    hooked.stored.clear()
    reads = []
    hooked.get = reads.append
    with home.writing(home.read_state().collection):
        assert rag.search_cached("cats purr", n_results=1)[0].text == OLD
    assert (reads, hooked.stored) == ([], [])


def test_answers_from_before_a_write_that_failed_are_not_found(rag, hooked, home):
    best(rag)
    with pytest.raises(KeyError), home.writing(home.read_state().collection):
        raise KeyError
    hooked.stored.clear()
    best(rag)
    assert len(hooked.stored) == 2


def test_what_a_writer_left_that_died_is_resolved_by_the_next_one_that_opens(make_rag, hooked, tmp_path, embedder):
    with make_rag(cache=hooked) as first:
        first.batch_add_texts([OLD])
        assert best(first) == OLD
    # Dies after Chroma has the new text and before the generation changes.
    program = f"""
import os, sys
import numpy as np
from pathlib import Path
from jarvisperf.rag.store.folder import FolderHome
from jarvisperf.rag.store.chroma import ChromaStore
home = FolderHome(Path({str(tmp_path / "chroma")!r}), "documents")
collection = ChromaStore(home, "documents", print).open()
with home.writing(str(collection.id)):
    vector = np.array({embedder.embed_documents([NEW]).tolist()}, dtype=np.float32)
    collection.upsert(ids=["new"], documents=[{NEW!r}], embeddings=vector)
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    home = FolderHome(tmp_path / "chroma", "documents")
    assert home.read_state().writing
    second = make_rag(cache=hooked)
    assert second.search_cached("cats purr", n_results=1)[0].text == NEW
    assert not home.read_state().writing
    assert best(second) == NEW


def test_a_lost_or_broken_state_file_is_no_stale_answer(make_rag, hooked, tmp_path):
    for damage in (lambda file: file.unlink(), lambda file: file.write_bytes(b"{broken")):
        with make_rag(cache=hooked) as rag:
            rag.batch_add_texts([OLD])
            before = FolderHome(tmp_path / "chroma", "documents").read_state()
        (state_file,) = (tmp_path / "chroma").glob("jarvisperf-state-*.json")
        damage(state_file)
        with make_rag(cache=hooked) as rag:
            assert best(rag) == OLD
            after = FolderHome(tmp_path / "chroma", "documents").read_state()
        assert after.heads != before.heads


def test_a_state_file_that_vanishes_while_open_only_costs_the_cache(rag, tmp_path):
    (state_file,) = (tmp_path / "chroma").glob("jarvisperf-state-*.json")
    state_file.unlink()
    assert best(rag) == OLD
    rag.batch_add_texts([NEW])
    assert best(rag) == NEW


@pytest.mark.parametrize("is_hybrid", [False, True])
def test_nothing_is_read_from_a_folder_that_is_gone(rag, tmp_path, is_hybrid):
    rag.search_cached("cats purr", hybrid=is_hybrid)
    shutil.rmtree(tmp_path / "chroma")
    for call in (
        lambda: rag.search("cats purr", hybrid=is_hybrid),
        lambda: rag.search_cached("cats purr", hybrid=is_hybrid),
        lambda: rag.search_many(["cats purr"], hybrid=is_hybrid),
        rag.get,
        rag.sources,
        rag.wait,
        lambda: rag.get(ids=["1"]),
        lambda: rag.delete(ids=["1"]),
        lambda: rag.update({"a": 1}, ids=["1"]),
        lambda: rag.verify([tmp_path]),
    ):
        with pytest.raises(StoreError, match=r"the document store in .*chroma is gone: close every"):
            call()


def test_a_folder_that_was_emptied_and_filled_again_has_no_old_answers(make_rag, hooked, tmp_path):
    with make_rag(cache=hooked) as rag:
        rag.batch_add_texts([OLD])
        assert best(rag) == OLD
    shutil.rmtree(tmp_path / "chroma")
    with make_rag(cache=hooked) as rag:
        assert rag.search_cached("cats purr", n_results=1) == []


def _replaced(folder):
    shutil.move(folder, folder.with_name("moved"))
    folder.mkdir()
    (folder / LOCK_NAME).touch()


@pytest.mark.parametrize("lose", [shutil.rmtree, _replaced], ids=["removed", "replaced"])
def test_a_folder_that_is_gone_is_refused_with_the_way_out(rag, make_rag, tmp_path, lose):
    lose(tmp_path / "chroma")
    with pytest.raises(StoreError, match=r"the document store in .*chroma is gone: close every"):
        rag.search("cats purr")
    assert not (tmp_path / "chroma" / "chroma.sqlite3").exists()
    another = make_rag()
    for writer in (rag, another):
        with pytest.raises(
            StoreError, match=r"the document store in .*chroma is gone: close every .* create a new one"
        ):
            writer.batch_add_texts([NEW])
    rag.close()
    another.close()
    rag = make_rag()
    rag.batch_add_texts([NEW])
    assert best(rag) == NEW


def test_a_state_that_cannot_be_written_is_an_error_of_the_store_and_changes_nothing(rag, tmp_path):
    (state_file,) = (tmp_path / "chroma").glob("jarvisperf-state-*.json")
    state_file.with_name(f"{state_file.name}.{os.getpid()}.new").mkdir()
    with pytest.raises(StoreError, match=r"cannot write to the document store in .*chroma"):
        rag.batch_add_texts([NEW])
    assert best(rag) == OLD


def test_copies_of_a_folder_that_went_different_ways_share_no_answers(make_rag, hooked, tmp_path):
    with make_rag(cache=hooked) as rag:
        rag.batch_add_texts([OLD])
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "chroma", copy)
    one, other = make_rag(cache=hooked), make_rag(cache=hooked, path=copy)
    one.batch_add_texts([NEW])
    other.batch_add_texts(["dogs"])
    assert best(one) == NEW
    assert best(other) == OLD


# Several processes


@pytest.fixture
def other_process(tmp_path, rag):
    """Another process that keeps the folder open until its input ends."""
    program = (
        "import sys; from pathlib import Path; from jarvisperf.rag.store.folder import FolderHome;"
        "from jarvisperf.rag.store.chroma import ChromaStore;"
        f"ChromaStore(FolderHome(Path({str(tmp_path / 'chroma')!r}), 'documents'), 'documents', None).open();"
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "open\n"
        yield process
        process.stdin.close()


def test_a_folder_that_another_process_has_open_can_be_searched(rag, other_process):
    assert best(rag) == OLD


def test_writing_to_a_folder_that_another_process_has_open_is_refused_with_the_way_out(rag, other_process):
    with pytest.raises(StoreInUseError, match=r"another process has it open.*chroma run --path .*chroma_url="):
        rag.batch_add_texts([NEW])
    assert best(rag) == OLD
    other_process.stdin.close()
    other_process.wait()
    rag.batch_add_texts([NEW])
    assert best(rag) == NEW


def test_the_lock_outlives_a_copy_of_the_folder_by_this_process(rag, other_process_writes, tmp_path):
    shutil.copytree(tmp_path / "chroma", tmp_path / "backup")
    assert "StoreInUseError" in other_process_writes()
    rag.close()
    assert other_process_writes() == ""


@pytest.fixture
def other_process_writes(tmp_path):
    """Return the error of another process that writes to the folder."""
    program = (
        "from pathlib import Path; from jarvisperf.rag.store.folder import FolderHome;"
        f"home = FolderHome(Path({str(tmp_path / 'chroma')!r}), 'documents'); home.connect();"
        "home.settle('c'); home.writing('c').__enter__()"
    )
    return lambda: subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stderr


FORKING = """
import os, sys, traceback
sys.path.insert(0, {tests!r})
from conftest import WordEmbedder
from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG, StoreError
def make(**changes):
    return OptimizedRAG(**{{"path": {folder!r}, "cache": cache, "model": WordEmbedder(), **changes}})
def in_a_child(work):
    process = os.fork()
    if process:
        _, status = os.waitpid(process, 0)
        assert status == 0, status
        return
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
cache = SmartCache(None, {cache!r})
"""


@pytest.fixture
def forking(tmp_path):
    """Run a program that may fork; its children's errors make it fail, too."""
    facts = {"tests": str(Path(__file__).parent), "folder": str(tmp_path / "chroma"), "cache": str(tmp_path / "shared")}

    def run(program):
        done = subprocess.run(
            [sys.executable, "-c", FORKING.format(**facts) + program],
            capture_output=True,
            text=True,
            check=False,
            timeout=PROCESS_SECONDS,  # without the error, it would hang
        )
        assert done.returncode == 0, done.stderr

    return run


def test_a_folder_that_was_opened_before_a_fork_is_refused_in_the_child_with_the_way_out(forking, require):
    require("chromadb")
    forking("""
rag = make()
rag.batch_add_texts(["cats purr"])
cached = rag.search_cached("cats purr")
def refused():
    assert rag.closed or rag.search_cached("cats purr") == cached
    uses = [] if rag.closed else [lambda: rag.search("cats"), lambda: rag.delete(ids=["x"])]
    for use in [*uses, lambda: make().search("cats")]:
        try:
            use()
        except StoreError as error:
            assert "was opened before this process was forked" in str(error), error
            assert "chroma run --path" in str(error), error
        else:
            raise AssertionError
    assert rag.get_performance_stats()["chunks"] is None
    rag.close()
in_a_child(lambda: in_a_child(refused))
in_a_child(refused)
assert len(rag.search("cats")) == 1
rag.batch_add_texts(["dogs"])
rag.close()
in_a_child(refused)
""")


def test_a_folder_that_is_opened_after_the_fork_only_can_be_used_in_the_child(forking, require):
    require("chromadb")
    forking("""
rag = make()
def works():
    rag.batch_add_texts(["cats purr"])
    assert len(rag.search("cats")) == 1
    rag.close()
in_a_child(works)
rag.batch_add_texts(["dogs"])
assert len(rag.search("cats")) == 2
def works_elsewhere():
    import tempfile
    with tempfile.TemporaryDirectory() as folder, make(path=folder) as other:
        other.batch_add_texts(["cats purr"])
        assert len(other.search("cats")) == 1
in_a_child(works_elsewhere)
""")


def test_a_fork_does_not_keep_the_folder_locked(rag, other_process_writes):
    process = os.fork()
    if process == 0:
        time.sleep(600)
        os._exit(0)
    try:
        rag.close()
        assert other_process_writes() == ""
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def test_the_lock_of_a_closed_rag_is_gone(rag, other_process_writes):
    rag.close()
    assert other_process_writes() == ""
