"""Tests adding, replacing and removing, and what is kept when something fails in between."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest
from rag.hash_embedder import HashEmbedder

from jarvisperf.rag import AddReport, DocumentError
from jarvisperf.rag.ingest.ingestor import progress_bar


def texts(found):
    return {result.text for result in found}


def everything(rag):
    return texts(rag.search("anything", 1000))


# Only what has changed


def test_of_the_same_texts_with_one_changed_only_that_one_is_embedded_and_written(rag, embedder):
    documents = [f"text {number}" for number in range(50)]
    keys = [str(number) for number in range(50)]
    rag.batch_add_texts(documents, ids=keys)
    embedder.documents.clear()
    documents[7] = "changed"
    assert rag.batch_add_texts(documents, ids=keys) == AddReport(replaced=1, unchanged=49, embedded=1)
    assert embedder.documents == ["changed"]


def test_adding_what_is_there_already_leaves_cached_answers_alone(rag):
    rag.batch_add_texts(["cats", "dogs"])
    rag.search_cached("cats", 5)
    rag.batch_add_texts(["dogs"])
    rag.search_cached("cats", 5)
    assert rag.get_performance_stats()["cache_hits"] == 1


def test_metadata_that_differs_only_between_infinities_nan_and_nothing_has_changed(rag):
    for value in (None, math.inf, -math.inf, math.nan):
        metadata = {"x": value, "y": 1}
        report = rag.batch_add_texts(["cats"], metadatas=[metadata])
        assert (report.unchanged, report.added + report.replaced) == (0, 1)
        assert rag.batch_add_texts(["cats"], metadatas=[metadata]).unchanged == 1


def test_another_model_embeds_the_same_texts_anew(make_rag, word_embedder):
    make_rag().batch_add_texts(["cats"])
    other = word_embedder("words:2")
    assert make_rag(model=other).batch_add_texts(["cats"]) == AddReport(replaced=1, embedded=1)


def test_a_text_that_was_deleted_and_comes_back_is_not_embedded_again(rag, embedder):
    rag.batch_add_texts(["cats"], ids=["1"])
    rag.delete(ids=["1"])
    assert rag.batch_add_texts(["cats"], ids=["2"]) == AddReport(added=1, reused=1)
    assert embedder.documents == ["cats"]
    stats = rag.get_performance_stats()
    assert (stats["embeddings_computed"], stats["embeddings_reused"]) == (1, 1)


def test_without_an_embedding_cache_everything_is_embedded(make_rag, embedder, tmp_path):
    rag = make_rag(embedding_cache=False)
    for key in ("1", "2"):
        rag.batch_add_texts(["cats"], ids=[key])
    assert embedder.documents == ["cats"] * 2
    assert not list((tmp_path / "chroma").glob("*embeddings*"))


def test_a_million_texts_are_not_gathered_before_they_are_stored(make_rag):
    class StopError(Exception):
        pass

    def endless():
        for number in itertools.count():
            if number == 400:
                raise StopError
            yield f"text {number} " + "x" * 10_000

    rag = make_rag(model=HashEmbedder(), embedding_cache=False)
    rag.batch_add_texts(["first"])
    tracemalloc.start()
    with pytest.raises(StopError):
        rag.batch_add_texts(endless(), batch_size=10)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 400 * 10_000 / 2
    assert rag.get_performance_stats()["chunks"] == 401


# Deleting, and sources


def test_passages_are_deleted_by_id(rag):
    rag.batch_add_texts(["cats", "dogs", "birds"], ids=["1", "2", "3"])
    assert rag.delete(ids=["1", "3", "nowhere", "1"]) == 2
    assert everything(rag) == {"dogs"}
    assert rag.delete(ids=["1"]) == 0


def test_passages_are_deleted_by_source_and_a_path_may_be_relative(rag, tmp_path, monkeypatch, require):
    require("markdown_it")
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(f"words of {name}")
    rag.add_documents(["a.txt", "b.txt"])
    rag.batch_add_texts(["by hand"], metadatas=[{"source": "notes"}])
    assert rag.sources() == {str(tmp_path / "a.txt"): 1, str(tmp_path / "b.txt"): 1, "notes": 1}
    assert rag.delete(source="a.txt") == 1
    assert rag.delete(source="notes") == 1
    assert list(rag.sources()) == [str(tmp_path / "b.txt")]
    assert rag.delete(source="nowhere") == rag.delete(source="no\0path") == 0


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, ValueError, "neither ids, source nor a filter is given"),
        ({"ids": "1"}, TypeError, "ids is the string '1': give a list"),
        ({"ids": [1]}, TypeError, "ids contains 1: give strings"),
        ({"ids": 5}, TypeError, "ids is 5: give a list of strings"),
        ({"source": "\udc80"}, ValueError, "source has a lone surrogate"),
        ({"source": 5}, TypeError, "source is 5: give a string or a path"),
        ({"source": b"a"}, TypeError, "source is b'a': give a string or a path"),
    ],
)
def test_a_deletion_that_makes_no_sense_is_refused(rag, given, error, message):
    with pytest.raises(error, match=message):
        rag.delete(**given)


# Files


@pytest.fixture
def guide(tmp_path, require):
    require("markdown_it")
    path = tmp_path / "guide.md"
    path.write_text("".join(f"# Part {number}\n\n{'words ' * 120}{number}\n\n" for number in range(10)))
    return path


def test_of_a_changed_file_only_the_changed_passages_are_embedded_and_written(rag, guide, embedder):
    first = rag.add_document_optimized(guide)
    guide.write_text(guide.read_text().replace("# Part 4\n", "# Part Four\n"))
    embedder.documents.clear()
    report = rag.add_document_optimized(guide)
    assert report == AddReport(added=1, removed=1, unchanged=first.added - 1, embedded=1)
    assert len(embedder.documents) == 1


def test_passages_that_only_moved_are_not_embedded_again(rag, guide, embedder):
    rag.add_document_optimized(guide)
    embedder.documents.clear()
    guide.write_text(f"# Before\n\n{'more ' * 150}\n\n{guide.read_text()}")
    assert rag.add_document_optimized(guide).embedded == len(embedder.documents) == 1


def test_one_file_that_fails_is_reported_with_its_name_and_the_others_go_on(rag, guide, tmp_path):
    broken = tmp_path / "broken.txt"
    broken.write_bytes(b"\xff\xfe\xff")
    report = rag.add_documents([tmp_path / "missing.md", broken, guide, tmp_path / "a.zip"])
    assert report.added > 5
    reasons = {Path(failure.path).name: failure.reason for failure in report.failures}
    assert list(reasons) == ["missing.md", "broken.txt", "a.zip"]
    assert "is not a file" in reasons["missing.md"]
    assert "is not UTF-8 (byte 0)" in reasons["broken.txt"]


def test_html_that_is_nested_too_deeply_or_rejected_by_its_parser_stops_no_other_file(rag, guide, tmp_path, require):
    require("bs4")
    deep, rejected = tmp_path / "deep.html", tmp_path / "rejected.html"
    deep.write_text(f"{'<div>' * 2000}cats purr{'</div>' * 2000}")
    rejected.write_text("<p>dogs</p><![foo[x]]>")
    report = rag.add_documents([rejected, deep, guide])
    assert {failure.path for failure in report.failures} <= {str(rejected)}  # newer versions of Python read it
    assert {str(deep), str(guide)} <= rag.sources().keys()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (5, "path is 5: give the path of a file"),
        (b"a.md", "path is b'a.md': give the path of a file"),
        ("a\0b.md", r"'a\\x00b.md' is not a path"),
        ("~nosuchuser/a.md", "'~nosuchuser/a.md' is not a path"),
        ("\udcff.md", r"\\udcff.md' is not a name in UTF-8"),
    ],
)
def test_what_is_no_path_is_named_and_stops_no_other_file(rag, guide, path, message):
    with pytest.raises((DocumentError, TypeError), match=message):
        rag.add_document_optimized(path)
    report = rag.add_documents([path, guide])
    assert [failure.path for failure in report.failures] == [str(path)]
    assert report.added > 5


def test_a_link_to_itself_stops_no_other_file(rag, guide, tmp_path):
    (tmp_path / "loop.md").symlink_to("loop.md")
    report = rag.add_documents([tmp_path / "loop.md", guide])
    assert [Path(failure.path).name for failure in report.failures] == ["loop.md"]
    assert report.added > 5


def test_one_path_is_not_several(rag, guide):
    for path in (guide, str(guide)):
        with pytest.raises(TypeError, match="paths is the"):
            rag.add_documents(path)
    with pytest.raises(TypeError, match="paths is None: give a list of strings"):
        rag.add_documents(None)


# What goes wrong


def test_after_ctrl_c_what_was_stored_stays_and_the_same_call_goes_on(make_rag, word_embedder):
    class Interrupted(word_embedder):
        def embed_documents(self, texts):
            if "text 25" in texts and not self.queries:
                self.queries.append("once")
                raise KeyboardInterrupt
            return super().embed_documents(texts)

    embedder = Interrupted()
    rag = make_rag(model=embedder)
    documents = [f"text {number}" for number in range(40)]
    with pytest.raises(KeyboardInterrupt) as caught:
        rag.batch_add_texts(documents, batch_size=10)
    assert "20 passages of this call were stored before the error and remain stored" in caught.value.__notes__[0]
    assert rag.batch_add_texts(documents, batch_size=10) == AddReport(added=20, unchanged=20, embedded=20)
    assert len(embedder.documents) == 40


def test_after_ctrl_c_in_the_middle_of_a_large_file_what_was_embedded_is_known(
    make_rag, word_embedder, tmp_path, require
):
    require("markdown_it")

    class Interrupted(word_embedder):
        interrupt = True

        def embed_documents(self, texts):
            if self.interrupt and len(self.documents) >= 1000:
                raise KeyboardInterrupt
            return super().embed_documents(texts)

    embedder = Interrupted()
    rag = make_rag(model=embedder, embed_in_background=False)
    path = tmp_path / "large.txt"
    path.write_text("\n\n".join(f"{number} " + "words " * 100 for number in range(1500)))
    with pytest.raises(KeyboardInterrupt):
        rag.add_document_optimized(path)
    embedder.interrupt = False
    report = rag.add_document_optimized(path)
    assert (report.added, report.reused) == (1500, 1024)


def test_a_process_that_is_killed_while_it_adds_leaves_what_it_stored(tmp_path, make_rag, require):
    require("chromadb")
    program = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from conftest import WordEmbedder
from jarvisperf.rag import OptimizedRAG
def texts():
    for number in range(100):
        if number == 35:
            os._exit(9)
        yield f"text {{number}}"
OptimizedRAG({str(tmp_path / "chroma")!r}, model=WordEmbedder()).batch_add_texts(texts(), batch_size=10)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    report = make_rag().batch_add_texts([f"text {number}" for number in range(100)], batch_size=10)
    assert (report.unchanged, report.added) == (30, 70)


def test_on_a_full_disk_what_was_saved_stays_and_the_error_says_how_much(tmp_path, make_rag, require):
    require("chromadb")
    program = f"""
import os, resource, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from conftest import WordEmbedder
from jarvisperf.rag import OptimizedRAG, StoreError
rag = OptimizedRAG({str(tmp_path / "chroma")!r}, model=WordEmbedder(), embedding_cache=False)
rag.batch_add_texts(["first"])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
try:
    rag.batch_add_texts((f"text {{number}} " + "words " * 500 for number in range(3000)), batch_size=20)
except StoreError as error:
    print(error, *error.__notes__, sep=chr(10), flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    message, note = done.stdout.splitlines()[0], done.stdout.splitlines()[-1]
    assert "failed" in message or "cannot write" in message, done.stdout + done.stderr
    stored = int(note.split()[0])
    assert stored > 0
    assert note.endswith("repeat the call to continue")
    rag = make_rag()
    again = rag.batch_add_texts((f"text {number} " + "words " * 500 for number in range(stored)), batch_size=20)
    assert again.unchanged == stored


def test_a_corrupt_folder_is_one_error_that_names_it(make_rag, tmp_path):
    with make_rag() as rag:
        rag.batch_add_texts(["cats"])
    (tmp_path / "chroma" / "chroma.sqlite3").write_bytes(b"no database" * 1000)
    program = f"""
from jarvisperf.rag import OptimizedRAG, StoreError
class Nobody:
    identity = "nobody"
    def embed_documents(self, texts): raise AssertionError
    def embed_query(self, text): raise AssertionError
try:
    OptimizedRAG({str(tmp_path / "chroma")!r}, model=Nobody()).search("cats")
except StoreError as error:
    print(error)
"""  # in a fresh process, because this one's Chroma still has the good file open
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert f"cannot open the document store in {tmp_path / 'chroma'}" in done.stdout, done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_a_text_of_ten_million_characters_without_a_space_is_added(rag):
    assert rag.batch_add_texts(["x" * 10_000_000, "cats"]).added == 2
    assert rag.search("cats", 1)[0].text == "cats"


def test_nul_bytes_come_back_as_they_were(rag):
    rag.batch_add_texts(["cats\0purr", "dogs"], metadatas=[{"name": "a\0b"}, None])
    (found,) = rag.search("cats purr", 1)
    assert (found.text, found.metadata["name"]) == ("cats\0purr", "a\0b")
    assert rag.search("cats\0purr", 1) == rag.search_cached("cats\0purr", 1)


@pytest.mark.parametrize("given", [{"source": "a\udcff"}, {"\ud800": 1}, {"x": {"y": 1}}, {"x": object()}])
def test_metadata_that_chroma_refuses_is_an_error_and_stores_nothing(rag, given):
    rag.batch_add_texts(["cats"])
    with pytest.raises(ValueError, match="metadata 0"):
        rag.batch_add_texts(["dogs"], metadatas=[given])
    assert everything(rag) == {"cats"}


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_list_after_which_chroma_could_read_nothing_is_refused_before_anything_is_written(rag, value):
    rag.batch_add_texts(["cats"])
    with pytest.raises(ValueError, match=r"metadata 1\['x'\] is \[1\.0, -?(inf|nan)\]: give finite numbers in a list"):
        rag.batch_add_texts(["dogs", "birds"], metadatas=[None, {"x": [1.0, value]}])
    assert everything(rag) == {"cats"}


def test_a_whole_number_of_more_than_64_bits_is_added_as_chroma_keeps_it(rag):
    assert rag.batch_add_texts(["cats"], metadatas=[{"x": 2**70}]).added == 1
    assert rag.batch_add_texts(["cats"], metadatas=[{"x": 2**70}]).unchanged == 1
    assert rag.search("cats")[0].metadata == {"x": pytest.approx(2**70)}


# Progress


def test_a_bar_is_shown_on_a_terminal_only(rag, capsys):
    rag.batch_add_texts(["cats"])
    assert capsys.readouterr().err == ""
    rag.batch_add_texts(["dogs"], show_progress=True)
    assert "Adding texts" in capsys.readouterr().err
    with pytest.raises(TypeError, match="show_progress is 'yes'"):
        rag.batch_add_texts(["birds"], show_progress="yes")


def test_a_bar_for_a_generator_has_no_end():
    with progress_bar("Adding", iter([]), True) as advance:
        advance(1)


# Warming up


def test_preloading_loads_in_the_background_and_what_fails_is_raised_by_the_next_search(
    make_rag, word_embedder, caplog
):
    rag = make_rag()
    rag.batch_add_texts(["cats"])
    thread = rag.preload()
    assert isinstance(thread, threading.Thread)
    thread.join()
    rag.warm_up()

    class Broken(word_embedder):
        def embed_query(self, text):
            raise OSError("no model here")

    broken = make_rag(model=Broken("broken"))
    broken.preload().join()
    assert "preloading failed: no model here" in caplog.text
    with pytest.raises(OSError, match="no model here"):
        broken.search("cats")


def test_a_rag_answers_from_redis_and_from_disk_and_says_so(make_rag, tmp_path, redis_url):
    from jarvisperf.cache import SmartCache

    slow = {"redis_connect_seconds": 10, "redis_reply_seconds": 10, "namespace": tmp_path.name}
    with SmartCache(redis_url, None, **slow) as redis, SmartCache(None, tmp_path / "disk", **slow) as disk:
        writer = make_rag(cache=redis)
        writer.batch_add_texts(["cats"])
        writer.search_cached("cats")
        make_rag(cache=disk).search_cached("cats")
    for where, path in (
        ({"redis_url": redis_url, "local_cache_dir": None}, "redis"),
        ({"redis_url": None, "local_cache_dir": tmp_path / "disk"}, "disk"),
    ):
        with SmartCache(**where, **slow) as cache:
            reader = make_rag(cache=cache)
            for _ in range(2):
                reader.search_cached("cats")
            paths = reader.get_performance_stats()["paths"]
            assert (paths[path]["count"], paths["memory"]["count"]) == (1, 1)
