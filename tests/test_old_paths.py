"""Tests imports by the paths that modules had before they moved into subpackages."""

import importlib
import subprocess
import sys

import pytest

from jarvisperf import old_paths

LIGHT = {"rag.server_http", "rag.documents", "cache.stripes", "bench.targets", "gate.moderation", "report.csv_file"}


@pytest.mark.parametrize("module", sorted(LIGHT))
def test_an_old_path_is_the_module_at_its_new_path_and_says_so(module: str):
    name = f"jarvisperf.{module}"
    sys.modules.pop(name, None)
    with pytest.warns(DeprecationWarning, match=f"{name} has moved to jarvisperf"):
        old = importlib.import_module(name)
    assert old is sys.modules[old.__name__]
    assert old.__name__ != name


def test_every_path_in_the_table_leads_to_a_module_that_exists():
    for old, new in old_paths.new_paths().items():
        assert importlib.util.find_spec(new), old


def test_a_name_of_an_old_path_can_be_imported():
    code = "from jarvisperf.rag.documents import read_passages; from jarvisperf.gate.verdict import judge"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_path_that_never_existed_is_an_import_error():
    with pytest.raises(ModuleNotFoundError, match=r"jarvisperf\.rag\.nothing"):
        importlib.import_module("jarvisperf.rag.nothing")
