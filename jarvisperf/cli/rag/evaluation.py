"""`jarvisperf rag eval`: measures the quality of retrieval, and compares it with a saved evaluation."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvisperf.cli.common import FAILED, OK, warn
from jarvisperf.cli.printing import out, out_json

if TYPE_CHECKING:
    from jarvisperf.bench.rag_evaluation import Evaluation, QualityChange
    from jarvisperf.rag import OptimizedRAG

_DEFAULT_THRESHOLD = "5%"  # argparse needs %% in its help
_NAME_WIDTH = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument(
        "questions",
        type=Path,
        metavar="QUESTIONS",
        help='JSON lines: {"question": "…", "relevant": ["source or passage id", …]}',
    )
    parser.add_argument("-n", type=int, default=10, metavar="N", help="number of results that count (10)")
    parser.add_argument("--hybrid", action="store_true", help="search by keywords as well")
    parser.add_argument("--min-score", type=float, metavar="SCORE", help="minimum cosine similarity")
    parser.add_argument("--diversity", type=float, metavar="SHARE", help="prefer passages that differ, from 0 to 1")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the figures of each question to FILE")
    against = parser.add_mutually_exclusive_group()
    against.add_argument("--against", type=Path, metavar="FILE", help="compare with figures written by --save")
    against.add_argument(
        "--against-plain", action="store_true", help="compare with the plain search of this collection, without options"
    )
    parser.add_argument(
        "--threshold",
        type=_threshold,
        default=_DEFAULT_THRESHOLD,
        metavar="SHARE",
        help=f"how much worse a mean may get ({_DEFAULT_THRESHOLD}%)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(words: argparse.Namespace, rag: OptimizedRAG) -> int:
    """Evaluate, compare, save and print.

    Raises:
        QuestionsError: A file cannot be read or written, the evaluations do not fit each other, or there is nothing to
            search.
    """
    from jarvisperf.bench.rag_evaluation import compare_evaluations, evaluate_rag, load, save
    from jarvisperf.bench.rag_questions import read_questions

    questions = read_questions(words.questions)
    base = None if words.against is None else load(words.against)
    head = evaluate_rag(
        rag, questions, words.n, hybrid=words.hybrid, min_score=words.min_score, diversity=words.diversity
    )
    if words.against_plain:
        base = evaluate_rag(rag, questions, words.n)
    changes = None if base is None else compare_evaluations(base, head, words.threshold)
    if words.save is not None:
        save(head, words.save)
    _print_json(head, changes) if words.json else _print_text(head, changes, words.against or "the plain search")
    verdicts = {} if changes is None else {measure: change.verdict for measure, change in changes.items()}
    for measure, verdict in verdicts.items():
        if verdict == "inconclusive":
            warn(f"{measure}: inconclusive; more questions narrow the interval")
    return FAILED if "regressed" in verdicts.values() else OK


def _threshold(text: str) -> float:
    from jarvisperf.gate.verdict.thresholds import parse_share

    try:
        return parse_share(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _print_text(head: Evaluation, changes: dict[str, QualityChange] | None, against: Path | str) -> None:
    from jarvisperf.bench.rag_evaluation import MEASURES

    out(f"{len(head.questions)} questions, {head.depth} results each")
    for measure in MEASURES:
        value, (low, high) = head.mean(measure)
        out(f"{_name(measure, head)} {value:.3f}  ({low:.3f} to {high:.3f})")
    if head.unanswered:
        out(f"nothing relevant found for {len(head.unanswered)} questions, such as {head.unanswered[0]!r}")
    if changes is None:
        return
    out("", f"compared with {against}, question by question")
    for measure, change in changes.items():
        low, high = change.interval
        means = f"{change.base:.3f} -> {change.head:.3f}"
        ratio = f"ratio {change.ratio:.3f} ({low:.3f} to {high:.3f})"
        out(f"{_name(measure, head)} {means}  {ratio}  {change.verdict}")


def _name(measure: str, evaluation: Evaluation) -> str:
    return f"{measure}@{evaluation.depth}".ljust(_NAME_WIDTH)


def _print_json(head: Evaluation, changes: dict[str, QualityChange] | None) -> None:
    import msgspec

    from jarvisperf.bench.rag_evaluation import MEASURES

    found: dict[str, Any] = {
        "depth": head.depth,
        "means": {measure: head.mean(measure)._asdict() for measure in MEASURES},
        "questions": head.questions,
        "changes": changes,
    }
    out_json(msgspec.json.format(msgspec.json.encode(found), indent=1))
