"""Whatever a file of others holds, reading it ends with one line, acts on nothing, and hides no good file."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fuzz.inputs import input_for
from fuzz.readers import BYTE_READERS, CORPUS, JSON_READERS, command, prepared, read_import, read_report, read_stored

if TYPE_CHECKING:
    from collections.abc import Iterator

READERS = {**JSON_READERS, **BYTE_READERS}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> Iterator[None]:
    with prepared(tmp_path):
        yield


@pytest.mark.parametrize("name", READERS)
def test_mutated_files_act_on_nothing(name: str):
    for number in range(12):
        READERS[name](input_for(name, random.Random(f"fixed {number}")))


@pytest.mark.parametrize("name", ["report", "run", "import"])
def test_good_files_are_read(name: str):
    good = CORPUS / f"{name}.json"
    if name == "import":
        assert "run r" in command("runs", "import", str(good), "--name", "main")
    else:
        assert "cannot" not in command("compare", str(good), str(good))


@pytest.mark.parametrize(
    "nested", ['{"schema":"jarvisperf.run/1","extra":DEEP}', '{"schema":"jarvisperf.report/1","mode":DEEP}', "DEEP"]
)
def test_deeply_nested_json_is_one_line(nested: str):
    data = nested.replace("DEEP", "[" * 100_000 + "]" * 100_000).encode()
    Path("deep.json").write_bytes(data)
    for words in (["compare", "deep.json", "deep.json"], ["report", "deep.json"], ["merge", "deep.json"]):
        (line,) = command(*words).splitlines()
        assert "deep.json" in line
    (line, _) = command("runs", "import", "deep.json", "--name", "x").splitlines()
    assert "deep.json is not a file of pytest-benchmark" in line
    read_stored(gzip.compress(data))


def test_a_report_whose_profile_refers_to_nothing_is_rejected():
    report = json.loads((CORPUS / "report.json").read_bytes())
    report["benchmarks"][0]["profile"]["stacks"] = [[[0, 99], 1.0], [[-1], 1.0]]
    read_report(json.dumps(report).encode())


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e400", "-1"])
def test_figures_that_are_not_finite_are_not_imported(value: str):
    read_import((CORPUS / "import.json").read_bytes().replace(b'"max": 3.0', f'"max": {value}'.encode()))
