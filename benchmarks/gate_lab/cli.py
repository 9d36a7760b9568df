"""The lab's command line: `run` compares, `summary` counts, `show` redraws, `verify` measures the true ratios."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gate_lab import results, truth
from benchmarks.gate_lab.gates import JARVISPERF, PYTEST_BENCHMARK, TOOLS, Bench, with_jarvisperf
from benchmarks.gate_lab.neighbour import noisy_neighbour
from benchmarks.gate_lab.repository import write_repository
from benchmarks.gate_lab.suites import MIXED_FACTORS, USUAL_THRESHOLD, draw_suite
from benchmarks.gate_lab.summary import right_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.gate_lab.results import Comparison

PUBLISHED = Path(__file__).with_name("evidence")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    status: int = args.command(args)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate_lab", description=__doc__)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="compare suites, except those that DIR already contains")
    run.add_argument("--scenario", choices=("aa", "mixed"), required=True)
    run.add_argument("--suites", type=int, required=True, metavar="N", help="number of suites, each of 12 functions")
    run.add_argument("--first", type=int, default=0, metavar="N", help="number of the first suite")
    run.add_argument(
        "--threshold",
        type=_share,
        choices=sorted(MIXED_FACTORS),
        default=USUAL_THRESHOLD,
        help="0.5%%, 1%%, 2%% or 5%%",
    )
    run.add_argument("--budget", type=float, metavar="SECONDS", help="of measuring per benchmark, for jarvisperf")
    run.add_argument("--neighbour", action="store_true", help="keep all cores busy at the same time")
    run.add_argument("--tool", choices=(*TOOLS, "both"), default="both")
    run.add_argument("--probe", action="store_true", help="also write the results of each launch to DIR")
    run.add_argument(
        "--minutes", type=float, default=float("inf"), help="start no further suite after this many minutes"
    )
    run.add_argument("--out", type=Path, required=True, metavar="DIR")
    run.set_defaults(command=_run)
    summary = commands.add_parser("summary", help="count the comparisons in DIR")
    summary.add_argument("folder", type=Path, metavar="DIR")
    summary.add_argument("--publish", type=Path, default=PUBLISHED, metavar="DIR", help="where table and plots go")
    summary.set_defaults(command=_summary)
    show = commands.add_parser("show", help="write tables and plots of recorded figures again")
    show.add_argument("files", type=Path, nargs="+", metavar="SUMMARY.json")
    show.set_defaults(command=_show)
    verify = commands.add_parser("verify", help="measure the true ratios again; needs valgrind")
    verify.add_argument("--seconds", type=float, default=1.0, help="processor time per kind and process")
    verify.set_defaults(command=_verify)
    return parser


def _share(text: str) -> float:
    return round(float(text.removesuffix("%")) / 100, 6) if text.endswith("%") else float(text)


def _run(args: argparse.Namespace) -> int:
    args.out.mkdir(parents=True, exist_ok=True)
    tools = (JARVISPERF, PYTEST_BENCHMARK) if args.tool == "both" else (args.tool,)
    done = results.done(results.read(args.out))
    start = time.monotonic()
    for number in range(args.first, args.first + args.suites):
        suite = draw_suite(args.scenario, number, args.threshold)
        for tool in tools:
            if (suite.name, tool, args.neighbour, args.budget) in done:
                continue
            if time.monotonic() - start > args.minutes * 60:
                return 0
            with tempfile.TemporaryDirectory(prefix="gate-lab-") as name, noisy_neighbour(wanted=args.neighbour):
                folder = Path(name) / "project"
                folder.mkdir()
                bench = Bench(suite, folder, *write_repository(suite, folder), args.neighbour, args.budget)
                if tool == JARVISPERF and args.probe:
                    busy = "-neighbour" if args.neighbour else ""
                    seen = args.out.resolve() / f"probe-{suite.name}{busy}.json"
                    script = (str(Path(__file__).with_name("probe.py")), str(seen))
                    comparisons = with_jarvisperf(bench, script)
                else:
                    comparisons = TOOLS[tool](bench)
            results.append(args.out, comparisons)
            sys.stdout.write(f"{suite.name} {tool}: {_in_short(comparisons)}\n")
            sys.stdout.flush()
    return 0


def _in_short(comparisons: Sequence[Comparison]) -> str:
    words = [f"{comparisons[0].suite_seconds:.1f} s"]
    for found in comparisons:
        if right_word(found.factor, found.threshold) not in {found.verdict, None}:
            ratio = "" if found.ratio is None else f" at {found.ratio:.3f}"
            words.append(f"{found.kind} x{found.factor} {found.verdict}{ratio}")
    return "; ".join(words)


def _summary(args: argparse.Namespace) -> int:
    from benchmarks.gate_lab.publish import publish

    comparisons = results.read(args.folder)
    if not comparisons:
        sys.stderr.write(f"{args.folder} contains no comparisons; make some with the command run\n")
        return 1
    sys.stdout.write(publish(comparisons, args.publish))
    return 0


def _show(args: argparse.Namespace) -> int:
    from benchmarks.gate_lab.publish import show

    for file in args.files:
        sys.stdout.write(show(file))
    return 0


def _verify(args: argparse.Namespace) -> int:
    text = json.dumps(truth.verify(args.seconds), indent=1)
    truth.FILE.write_text(f"{text}\n", encoding="utf-8")
    sys.stdout.write(f"{text}\n")
    return 0
