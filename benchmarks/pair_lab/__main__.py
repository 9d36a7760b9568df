"""Measures pairs with a known answer: `python -m benchmarks.pair_lab --suites 36 --out build/pair-lab`.

A suite has four benchmarks for each kind of work of the gate lab: the counterpart, two copies of its module, and one
that does 5% more. Copies are modules of their own, so equal code lies in different places in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.gate_lab.kinds import kinds, source

FACTORS = {"copy": 1.0, "other": 1.0, "slower": 1.05}
NO_DIFFERENCE = "no difference found"


def main() -> int:
    """Measure suites, append their pairs to a file, and print the counts of the whole file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suites", type=int, required=True, metavar="N", help="how many suites to measure")
    parser.add_argument("--design", choices=tuple(DESIGNS), default="pairs", help="before=, or jarvis_bench.compare")
    parser.add_argument("--budget", default="0.5", metavar="SECONDS", help="measuring time per benchmark")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="start no further suite after this many minutes"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "pairs.jsonl"
    start = time.monotonic()
    for _ in range(args.suites):
        if time.monotonic() - start > args.minutes * 60:
            break
        rows = measured(args.design, args.budget)
        with file.open("a", encoding="utf-8") as lines:
            lines.writelines(f"{json.dumps(row)}\n" for row in rows)
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    text = json.dumps(summary(rows), indent=1)
    (args.out / "summary.json").write_text(f"{text}\n", encoding="utf-8")
    sys.stdout.write(f"{text}\n")
    return 0


def measured(design: str, budget: str) -> list[dict[str, Any]]:
    """Measure one suite."""
    write, rows_of = DESIGNS[design]
    with tempfile.TemporaryDirectory(prefix="pair-lab-") as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n", encoding="utf-8")
        (folder / "test_lab.py").write_text(write(folder), encoding="utf-8")
        begin = time.monotonic()
        done = subprocess.run(  # noqa: S603
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_lab.py", "--jarvis-bench"),
                *(f"--jarvis-budget={budget}", "--jarvis-report-formats=json"),
            ],
            cwd=folder,
            env={**os.environ, "PYTEST_ADDOPTS": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - begin
        report = folder / "reports" / "report.json"
        if not report.is_file():
            raise RuntimeError(f"the suite was not measured:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        findings = json.loads(report.read_text(encoding="utf-8"))
    return [{**row, "suite_seconds": seconds} for entry in findings["benchmarks"] for row in rows_of(entry)]


def write_pairs(folder: Path) -> str:
    """Write the modules of a suite of pairs, and return the text of its tests."""
    lines = ["import pytest"]
    for kind in kinds():
        for copy, factor in (("plain", 1.0), *FACTORS.items()):
            module = write_module(folder, kind, copy, factor)
            before = "" if copy == "plain" else f"@pytest.mark.jarvis_bench(before='test_{kind}_plain')\n"
            lines += [f"import {module}", f"{before}def test_{module}(jarvis_bench): jarvis_bench({module}.work)"]
    return "\n".join(lines) + "\n"


def write_comparisons(folder: Path) -> str:
    """Write the modules of a suite in which each test compares all copies, and return the text of its tests."""
    lines = []
    for kind in kinds():
        modules = [write_module(folder, kind, copy, factor) for copy, factor in (("plain", 1.0), *FACTORS.items())]
        functions = ", ".join(f"'{module}': {module}.work" for module in modules)
        lines += [
            f"import {', '.join(modules)}",
            f"def test_{kind}(jarvis_bench): jarvis_bench.compare({{{functions}}})",
        ]
    return "\n".join(lines) + "\n"


def write_module(folder: Path, kind: str, copy: str, factor: float) -> str:
    """Write one copy of a kind of work, and return the name of its module."""
    module = f"{kind}_{copy}"
    (folder / f"{module}.py").write_text(source(kind, 1, factor), encoding="utf-8")
    return module


def rows_of_pair(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is kept of a pair; nothing for a counterpart."""
    if not entry["before"]:
        return []
    kind, _, copy = entry["id"].rpartition("::test_")[2].rpartition("_")
    found = entry["before"]["metrics"].get("time") or {}
    return [
        {
            "kind": kind,
            "factor": FACTORS[copy],
            "how": found.get("how", entry.get("error")),
            "word": found.get("word"),
            "ratio": found.get("ratio"),
            "interval": found.get("interval"),
        }
    ]


def rows_of_comparison(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is kept of the pairs of a test that compared copies, in the direction of the larger factor."""
    rows = []
    for pair in (entry["side_by_side"] or {}).get("pairs", ()):
        kind = pair["first"].rpartition("_")[0]
        first, second = (FACTORS.get(pair[side].rpartition("_")[2], 1.0) for side in ("first", "second"))
        word, interval = pair["word"], pair["interval"]
        if first > second:
            word = {"slower": "faster", "faster": "slower"}.get(word, word)
            interval = interval and [1 / interval[1], 1 / interval[0]]
        ratio = pair["ratio"] if first <= second else 1 / pair["ratio"]
        how = entry["side_by_side"]["how"]
        factor = max(first, second) / min(first, second)
        rows.append({"kind": kind, "factor": factor, "how": how, "word": word, "ratio": ratio, "interval": interval})
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Count words by factor, and how many intervals contain the truth."""
    found: dict[str, Any] = {"suites": len({row["suite_seconds"] for row in rows})}
    for factor in sorted(set(FACTORS.values())):
        chosen = [row for row in rows if row["factor"] == factor]
        in_turns = [row for row in chosen if row["interval"] is not None]
        found[f"x{factor}"] = {
            "pairs": len(chosen),
            "in turns": len(in_turns),
            "words": dict(Counter(row["word"] for row in in_turns)),
        }
        if factor == 1.0:
            covered = sum(row["interval"][0] <= 1 <= row["interval"][1] for row in in_turns)
            claims = [row for row in in_turns if row["word"] != NO_DIFFERENCE]
            found[f"x{factor}"] |= {"intervals that contain 1": covered, "claims": claims}
    return found


DESIGNS = {"pairs": (write_pairs, rows_of_pair), "comparisons": (write_comparisons, rows_of_comparison)}

if __name__ == "__main__":
    sys.exit(main())
