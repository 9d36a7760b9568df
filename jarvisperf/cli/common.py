"""Code shared by the sub-commands: exit statuses, one-line errors, run selection, examples in the help."""

from __future__ import annotations

import argparse
import datetime
import difflib
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.cli.printing import err, out_colored
from jarvisperf.escaping import log_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn

    from jarvisperf.report.findings.model import Findings
    from jarvisperf.runs.model import Run
    from jarvisperf.runs.store import RunEntry, RunStore

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  # it has no public name
    Command = Callable[[argparse.Namespace], int]

OK, FAILED = 0, 1
STORE_ONE = "store one: pytest --jarvis-bench --jarvis-save NAME"
RUN_FORMS = "a name (its newest run), name~1 (the one before), a commit, a run's token (r...), or latest"
REPORTS = "jarvisperf.report/"
FILE_FORMS = f"{RUN_FORMS}; or a JSON file: a report.json, or a run as `jarvisperf runs show --json` prints it"
# The files that can configure pytest; the first one that exists is used.
PYTEST_FILES = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
FAILURE = "the command failed; one line on standard error says why"
REGRESSION = f"something regressed, is missing or could not be measured; or {FAILURE}"


INVALID_CHOICE = re.compile(
    r"(?:argument (?P<name>\S+): )?invalid choice: (?P<value>'.*?'|\".*?\") \(choose from (?P<all>.*)\)"
)
UNKNOWN_ARGUMENTS = "unrecognized arguments: "


class CommandError(Exception):
    """A command cannot do what was requested; the message is one line."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors suggest what may have been meant; its sub-commands are of the same class."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, and exit with status 2."""
        super().error(log_line(self._with_suggestion(message)))

    def _with_suggestion(self, message: str) -> str:
        if match := INVALID_CHOICE.fullmatch(message):
            value = match["value"][1:-1]
            choices = re.findall(r"[^\s,'\"]+", match["all"])
            if match["name"] in {None, "COMMAND", "ACTION"}:
                return f"unknown command {value!r}{did_you_mean(value, choices)}"
            return f"argument {match['name']}: {value!r} is not allowed{did_you_mean(value, choices)}"
        if message.startswith(UNKNOWN_ARGUMENTS):
            words = message.removeprefix(UNKNOWN_ARGUMENTS)
            word = words.split()[0].partition("=")[0]
            near = did_you_mean(word, self._all_options(), else_list=False) if word.startswith("-") else ""
            return f"unknown argument {words}{near or '; --help lists what is allowed'}"
        return message

    def _all_options(self) -> set[str]:
        """Return the options of this parser and of all its sub-commands."""
        found: set[str] = set()
        for action in self._actions:
            found.update(action.option_strings)
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  # it has no public name
                for parser in action.choices.values():
                    found |= parser._all_options() if isinstance(parser, Parser) else set()  # noqa: SLF001
        return found


def did_you_mean(given: str, allowed: Iterable[str], *, else_list: bool = True) -> str:
    """Return the end of an error message that names what may have been meant.

    Args:
        given: What was given.
        allowed: What is allowed.
        else_list: Whether to list what is allowed if nothing is near.
    """
    names = sorted(set(allowed))
    near = difflib.get_close_matches(given, names, n=3, cutoff=0.7)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; choose one of: {', '.join(names)}" if else_list and names else ""


def add_command(
    commands: Subparsers, name: str, run: Command, text: str, *examples: str, failed: str = FAILURE
) -> argparse.ArgumentParser:
    """Add a sub-command whose errors are one line.

    Args:
        commands: The sub-commands to add it to.
        name: Its name.
        run: Runs the command and returns the exit status.
        text: A description in one line.
        *examples: Calls to show in its help.
        failed: The meaning of exit status 1.
    """
    parser = add_parser(commands, name, text, *examples, failed=failed)
    parser.set_defaults(run=lambda words: guarded(run, words))
    return parser


def add_parser(
    commands: Subparsers, name: str, text: str, *examples: str, failed: str = FAILURE
) -> argparse.ArgumentParser:
    """Add a sub-command's parser, whose help shows examples and the meaning of the exit status."""
    shown = "".join(f"\n  {example}" for example in examples)
    return commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"examples:{shown}\n\nexit status:\n  0 success\n  1 {failed}\n  2 wrong usage",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_group(commands: Subparsers, name: str, text: str, *examples: str) -> Subparsers:
    """Add a sub-command that has sub-commands of its own, and return these.

    Args:
        commands: The sub-commands to add it to.
        name: Its name.
        text: A description in one line.
        *examples: Calls to show in its help.
    """
    shown = "".join(f"\n  {example}" for example in examples)
    parser = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"examples:{shown}\n\nEach command shows its examples and exit status with --help.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add the option for the store."""
    parser.add_argument(
        "--store",
        default=".jarvisperf",
        metavar="URL",
        help="where runs are stored: a folder, or a URL like s3://bucket/folder (default: .jarvisperf)",
    )


def guarded(run: Command, words: argparse.Namespace) -> int:
    """Run a command; an expected error becomes one line on standard error and status 1."""
    from jarvisperf.gate.arms.git import GitError
    from jarvisperf.runs.files import UnreadableRunError
    from jarvisperf.runs.store import RunStoreError

    try:
        return run(words)
    except (CommandError, RunStoreError, UnreadableRunError, LookupError, GitError) as error:
        return fail(str(error.args[0]))
    except BrokenPipeError:
        raise  # not an error: the reader, such as `head`, has closed the pipe
    except OSError as error:
        return fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def positive(text: str, forms: str, at_most: float = sys.float_info.max) -> float:
    """Read the value of an option that is a number above 0.

    Args:
        text: The value.
        forms: What is allowed, for the error message.
        at_most: The largest allowed number.

    Raises:
        argparse.ArgumentTypeError: It is not allowed.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= at_most:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; give {forms}")
    return number


def date_or_days(text: str) -> datetime.datetime:
    """Read the value of an option that is a date or a number of days before now.

    Raises:
        argparse.ArgumentTypeError: It is neither.
    """
    from jarvisperf.runs.names import utc_time

    try:
        if text.endswith("d") and text[:-1].isdecimal():
            return datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=int(text[:-1]))
        return utc_time(text)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed; give a date like 2026-01-31 or a number of days like 30d"
        ) from None


def warn(text: str) -> None:
    """Print a warning to standard error."""
    err(f"jarvisperf: {text}")


def fail(text: str) -> int:
    """Print an error to standard error and return the exit status for it."""
    warn(text)
    return FAILED


def wanted(store: RunStore, text: str) -> tuple[RunEntry, Run]:
    """Load the run that a text selects.

    Raises:
        LookupError: No run matches.
    """
    selector, tilde, back = text.partition("~")
    if tilde and not (back.isascii() and back.isdecimal()):
        raise LookupError(f"{text!r} does not select a run; allowed are {RUN_FORMS}")
    found = store.find(selector)
    place = int(back) if tilde else 0
    if not found.entries:
        names = {entry.name for entry in store.entries()}
        advice = did_you_mean(selector, names, else_list=False) if names else f"; {STORE_ONE}"
        folder = f"the folder {text} holds no report.json, and " if Path(text).is_dir() else ""
        raise LookupError(f"{folder}{found.warnings[0]}{advice}")
    count = len(found.entries)
    if place >= count:
        runs = "run" if count == 1 else "runs"
        raise LookupError(f"{selector!r} has {count} {runs} in {store.shown}, so there is no {text!r}")
    entry = found.entries[place]
    for warning in found.warnings:
        warn(warning)
    return entry, store.load(entry)


def read_json(path: Path) -> Run | Findings:
    """Read a run or a report from a JSON file.

    Raises:
        CommandError: It is neither.
        OSError: It cannot be read.
    """
    import msgspec

    from jarvisperf.report.findings.model import SCHEMA as REPORT_SCHEMA
    from jarvisperf.report.formats.json import decode_findings
    from jarvisperf.runs.files import decode_json, decode_run

    data = path.read_bytes()
    if not data.strip():
        raise CommandError(f"{path} is empty")
    try:
        given = decode_json(data, dict[str, object])
        schema = given.get("schema")
        if schema == REPORT_SCHEMA:
            return decode_findings(data)
    except msgspec.DecodeError as error:
        raise CommandError(f"{path} is neither a run nor a report: {error}") from None
    if schema is None and "machine_info" in given:
        advice = f"store it as a run: jarvisperf runs import {path} --name NAME"
        raise CommandError(f"{path} looks like a file of pytest-benchmark; {advice}")
    if schema is None:
        raise CommandError(f"{path} is neither a run nor a report of jarvisperf: it names no schema")
    if isinstance(schema, str) and schema.startswith(REPORTS):
        raise CommandError(f"{path} has schema {schema!r}; this version of jarvisperf reads {REPORT_SCHEMA!r}")
    return decode_run(data, str(path))


def run_or_findings(store: RunStore, text: str) -> Run | Findings:
    """Load the JSON file of this name or, if there is none, the stored run that the text selects.

    Raises:
        CommandError: The file is neither a run nor a report.
        LookupError: No run matches.
    """
    path = Path(text)
    if path.is_dir() and (path / "report.json").is_file():
        path /= "report.json"
    if path.is_file():
        return read_json(path)
    if path.suffix == ".json":
        raise LookupError(f"{text} does not exist{_near_file(path)}")
    return wanted(store, text)[1]


def _near_file(path: Path) -> str:
    try:
        names = [other.name for other in path.parent.glob("*.json")]
    except OSError:  # the folder cannot be read
        return ""
    return did_you_mean(path.name, names, else_list=False)


def as_run(given: Run | Findings) -> Run:
    """Return a run unchanged; convert a report to a run with head's figures."""
    from jarvisperf.report.findings.model import Findings, run_of
    from jarvisperf.runs.commit import Commit

    if not isinstance(given, Findings):
        return given
    head = given.head
    commit = Commit(id=head.commit, time="", branch=head.name, dirty=head.dirty) if head.commit else None
    return run_of(given, commit)


def exit_status(findings: Findings) -> int:
    """Return the exit status of a report: 1 if anything regressed, is missing or failed, or nothing was measured."""
    from jarvisperf.report.shared.table import verdict_of

    found = {verdict_of(finding) for finding in findings.benchmarks} - {"skipped"}
    bad = {"regressed", "error"} if findings.allows_missing else {"regressed", "missing", "error"}
    return FAILED if not found or found & bad else OK


def print_findings(findings: Findings, *notes: str) -> None:
    """Print findings in a form that suits the terminal, with further lines before the last one."""
    import os
    import shutil

    from jarvisperf.report.terminal.summary import render, shows_unicode, wraps_lines

    dumb = os.environ.get("TERM") == "dumb" or bool(os.environ.get("NO_COLOR"))
    shown = render(
        findings,
        colour=sys.stdout.isatty() and not dumb,
        columns=shutil.get_terminal_size(fallback=(120, 24)).columns,
        unicode=shows_unicode(sys.stdout.encoding),
        wraps=wraps_lines(is_terminal=sys.stdout.isatty()),
        notes=[(note, "") for note in notes],
    )
    out_colored(shown)
