"""`jarvisperf report`, `compare` and `merge`: reports from stored runs and JSON files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.cli.common import (
    FILE_FORMS,
    OK,
    REGRESSION,
    CommandError,
    add_command,
    add_store,
    as_run,
    exit_status,
    print_findings,
    run_or_findings,
    wanted,
    warn,
)
from jarvisperf.cli.completion import complete_names, complete_runs
from jarvisperf.cli.printing import out, out_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.cli.common import Subparsers
    from jarvisperf.history.model import History
    from jarvisperf.report.findings.model import Findings
    from jarvisperf.runs.model import Run
    from jarvisperf.runs.store import RunStore

EARLIER_RUNS = 20


def add_commands(commands: Subparsers) -> None:
    """Add the sub-commands to the parser."""
    report = add_command(
        commands,
        "report",
        _report,
        "show the report in a folder, or write the report of a stored run, of a report.json, or of two runs compared",
        "jarvisperf report                       # the report in reports/, or else that of the newest run",
        "jarvisperf report main                  # the newest run of main",
        "jarvisperf report main~1 main -o pages  # the second compared with the first",
        "jarvisperf report shard-1/report.json -o pages",
    )
    given = report.add_argument(
        "runs",
        metavar="RUN",
        nargs="*",
        help=f"{FILE_FORMS}; if two: base and head (default: what the folder holds, or else latest)",
    )
    complete_runs(given)
    _add_folder(report)
    report.add_argument("--force", action="store_true", help="replace a comparison in the folder")
    report.add_argument("--no-history", action="store_true", help="leave out earlier stored runs")
    _add_comparison(report)
    add_store(report)

    compare = add_command(
        commands,
        "compare",
        _compare,
        "compare two runs; exit with status 1 if anything regressed",
        "jarvisperf compare main~1 main",
        "jarvisperf compare old/report.json new/report.json --threshold time=10% --allow-missing",
        failed=REGRESSION,
    )
    complete_runs(compare.add_argument("base", metavar="A", help=FILE_FORMS))
    complete_runs(compare.add_argument("head", metavar="B", help="the other run"))
    compare.add_argument("--json", action="store_true", help="print the report as JSON")
    _add_comparison(compare)
    add_store(compare)

    merge = add_command(
        commands,
        "merge",
        _merge,
        "merge the reports of a suite's parts (--jarvis-shard) into one",
        "jarvisperf merge shard-*/report.json --out reports",
        failed=REGRESSION,
    )
    merge.add_argument("files", metavar="FILE", nargs="+", help="each part's report.json, or its folder")
    _add_folder(merge)
    complete_names(merge.add_argument("--save", metavar="NAME", help="store the merged run under a name"))
    add_store(merge)


def compared(base: Run, head: Run, earlier: list[Run], threshold: Callable[[str, str], float | None]) -> Findings:
    """Compare two runs that were made at different times.

    Args:
        base: The run to compare with.
        head: The run to judge.
        earlier: Runs before the base under its name, which show how much runs vary without a change.
        threshold: Returns how much worse a metric may get, given benchmark id and metric.
    """
    from jarvisperf.gate.screening.screen import screen
    from jarvisperf.report.findings.baseline import baseline_findings

    return baseline_findings(head, base, screen(head, [base, *earlier], threshold), {}, trusted=True, final=True)


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("reports"), metavar="DIR", help="the report's folder (default: reports)"
    )


def _add_comparison(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threshold",
        type=_thresholds,
        metavar="5%",
        help="how much worse a metric may get: 5%%, time=5%%,memory=10%% (default: the metrics' own)",
    )
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="do not fail if a benchmark exists in base but not in head",
    )


def _thresholds(text: str) -> dict[str, float]:
    from jarvisperf.gate.verdict.thresholds import parse_thresholds

    try:
        return parse_thresholds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _limits(words: argparse.Namespace) -> Callable[[str, str], float | None]:
    from jarvisperf.gate.verdict.thresholds import OFF
    from jarvisperf.measure.metrics import BUILT_IN

    shares = words.threshold or BUILT_IN.thresholds

    def limit(_: str, metric: str) -> float | None:
        share = shares.get(metric, OFF)
        return None if share == OFF else share

    return limit


def _check_folder(folder: Path) -> None:
    from jarvisperf.report import ReportFolderError, check_report_folder

    try:
        check_report_folder(folder)
    except ReportFolderError as error:
        raise CommandError(f"--out: {error}") from None


def _report(words: argparse.Namespace) -> int:
    from jarvisperf.report import write_reports
    from jarvisperf.report.findings.model import Findings, findings_of
    from jarvisperf.runs.store import open_store

    if len(words.runs) > 2:
        raise CommandError(f"give one run, or two to compare; got {len(words.runs)}: {' '.join(words.runs)}")
    _check_folder(words.out)
    there = _report_in(words.out, force=words.force)
    if there is not None and not words.runs and not words.force:
        out(f"{words.out}: {_described(there)}", "to see a stored run: jarvisperf report RUN -o DIR")
        print_findings(there)
        return OK
    store = open_store(words.store).at_one_moment()
    if len(words.runs) == 2:
        findings = _of_two(words, store, *words.runs)
        shown = f"{words.runs[1]} compared with {words.runs[0]}"
    else:
        if not words.runs and not store.entries():
            raise LookupError(f"{words.out} holds no report, and {store.shown} no runs; measure: pytest --jarvis-bench")
        text = words.runs[0] if words.runs else "latest"
        if _is_file(text):
            given = run_or_findings(store, text)
            shown = text
        else:
            entry, given = wanted(store, text)
            shown = f"run {entry.token} of {entry.name}"
        findings = given if isinstance(given, Findings) else findings_of(given)
    described = f"{shown}: {_described(findings)}"
    if there is not None and there.mode != "record" and there.created != findings.created and not words.force:
        raise CommandError(
            f"{words.out} holds a comparison ({_described(there)}), and this would replace it by {described}; "
            "add -o with another folder, or --force"
        )
    history = None if words.no_history else _history(store, findings, words.runs[-1] if words.runs else "latest")
    written = write_reports(findings, words.out, history)
    out(described)
    _print_report(findings, words.out, written)
    return OK


def _report_in(folder: Path, *, force: bool) -> Findings | None:
    """Read the report that a folder holds; None if there is none.

    Raises:
        CommandError: It cannot be read, perhaps because a newer version wrote it, and it is not to be replaced.
    """
    import msgspec

    from jarvisperf.report.formats.json import decode_findings

    path = folder / "report.json"
    try:
        return decode_findings(path.read_bytes())
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        if force:
            return None
        raise CommandError(f"{path} cannot be read ({error}); add -o with another folder, or --force") from None


def _described(findings: Findings) -> str:
    """Say what a report is of: its kind, sides, time and number of benchmarks."""
    from jarvisperf.escaping import visible
    from jarvisperf.report.findings.model import arm_text

    count = len(findings.benchmarks)
    sides = arm_text(findings.head)
    if findings.base is not None:
        kind = "in lockstep" if findings.mode == "lockstep" else "as a stored run"
        sides = f"{sides} compared with {arm_text(findings.base)} {kind}"
    created = findings.created[:19].replace("T", " ")
    return visible(f"{sides}, {created} UTC, {count} benchmark{'' if count == 1 else 's'}")


def _is_file(text: str) -> bool:
    path = Path(text)
    return path.suffix == ".json" or path.is_file() or (path / "report.json").is_file()


def _print_report(findings: Findings, folder: Path, written: list[Path]) -> None:
    names = ", ".join(path.relative_to(folder).as_posix() for path in written)
    print_findings(findings, f"Report in {folder}: {names}")


def _of_two(words: argparse.Namespace, store: RunStore, first: str, second: str) -> Findings:
    import msgspec

    base, head = (as_run(run_or_findings(store, text)) for text in (first, second))
    findings = compared(base, head, _earlier(store, first, base), _limits(words))
    return msgspec.structs.replace(findings, allows_missing=words.allow_missing)


def _earlier(store: RunStore, text: str, base: Run) -> list[Run]:
    """Load the stored runs before the base under its name, which show how much runs vary without a change."""
    if Path(text).exists() or base.name is None:
        return []
    from jarvisperf.runs.names import utc_time

    time = utc_time(base.created)
    before = [entry for entry in store.entries(base.name) if entry.created < time]
    own = [entry for entry in before if entry.fingerprint == base.machine.fingerprint]
    loaded = store.load_readable(own, at_most=EARLIER_RUNS)
    for warning in loaded.warnings:
        warn(warning)
    return [run for _, run in loaded.runs]


def _history(store: RunStore, findings: Findings, text: str) -> History | None:
    from jarvisperf.history.reading import read_history
    from jarvisperf.runs.bounds import bounded_id

    if Path(text).exists():
        entries = store.entries()
    else:
        entry, _ = wanted(store, text)
        entries = [one for one in store.entries(entry.name) if one.created <= entry.created]
    own = [entry for entry in entries if entry.fingerprint == findings.machine.fingerprint]
    history = read_history(store, own, frozenset(bounded_id(finding.id) for finding in findings.benchmarks))
    for warning in (*history.warnings, *filter(None, [history.unsearched])):
        warn(warning)
    return history


def _compare(words: argparse.Namespace) -> int:
    from jarvisperf.report.formats.json import encode_findings
    from jarvisperf.report.shared.table import verdict_of
    from jarvisperf.runs.store import open_store

    findings = _of_two(words, open_store(words.store).at_one_moment(), words.base, words.head)
    if words.json:
        out_json(encode_findings(findings).rstrip(b"\n"))
    else:
        print_findings(
            findings,
            "These runs were made at different times; pytest --jarvis-bench --jarvis-against compares more reliably.",
        )
    if not any(finding.metrics and verdict_of(finding) not in {"new", "missing"} for finding in findings.benchmarks):
        raise CommandError(f"nothing was compared: no benchmark has figures in {words.base} and in {words.head}")
    return exit_status(findings)


def _merge(words: argparse.Namespace) -> int:
    from jarvisperf.escaping import visible
    from jarvisperf.report import write_reports
    from jarvisperf.report.findings.merging import MergeError, merged
    from jarvisperf.report.findings.model import Findings
    from jarvisperf.runs.store import open_store

    _check_folder(words.out)
    store = open_store(words.store)
    parts = []
    for text in words.files:
        part = run_or_findings(store, text)
        if not isinstance(part, Findings):
            raise CommandError(f"{text} is a run, not a report: give the report.json of each part")
        parts.append(part)
    try:
        findings, warnings = merged(parts)
    except MergeError as error:
        raise CommandError(visible(str(error))) from None
    for warning in warnings:
        warn(warning)
    written = write_reports(findings, words.out)
    if words.save:
        try:
            stored = store.save(as_run(findings), words.save)
        except ValueError as error:
            raise CommandError(str(error)) from None
        out(f"saved as {stored.entry.name} ({stored.entry.token}) in {store.shown}")
    _print_report(findings, words.out, written)
    return exit_status(findings)
