"""Finds out what a child process imports and starts, by running it again with `python -v`.

An option works where environment variables do not: with `-I` or `-E`, or if the caller passes its own environment.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.clocks import REAL
from jarvisperf.gate.processes.interpreter import read_words
from jarvisperf.gate.processes.living import living_commands, processes_are_visible
from jarvisperf.measure.startup import Command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PYTHON = re.compile(r"(python|pypy)[\d.]*t?(\.exe)?")
# Programs that start the program named after their own options.
STARTERS = frozenset(
    {"env", "nice", "ionice", "timeout", "taskset", "time", "setarch", "chrt", "stdbuf", "nohup", "setsid", "numactl"}
    | {"uv", "poetry", "pdm", "hatch", "pipenv"}
)
VERBOSE = "-v"
MOST_SECONDS = 60.0
LOOK_SECONDS = 0.002
# A look that comes later, as on a busy machine, may have missed an interpreter that started and ended in the meantime.
LATE_SECONDS = 0.01
MOST_RUNS = 5
LONGEST_FIRST_LINE = 512

_FILE = re.compile(r"# (?:\S.* matches (?P<matched>.+)|code object from '?(?P<code>.+?)'?)$")
_CACHED = re.compile(r"\.\w+-\w+(\.opt-\w+)?\.pyc$")
_EXTENSION = re.compile(r"# extension module '(?P<name>[^']+)' loaded from '(?P<file>.+)'")
_ZIP = re.compile(r"import '(?P<name>[^']+)' # <zipimporter object \"(?P<file>.+?)/?\">")
_IMPORT = re.compile(r"import '(?P<name>[^']+)' # ")


class PythonCommand(msgspec.Struct, frozen=True):
    """A command that starts Python.

    Attributes:
        before: The arguments up to and including the interpreter.
        after: The arguments after it.
        clears_environment: Whether it is started through `env -i`.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    clears_environment: bool = False


def find_python(command: Command) -> PythonCommand | None:
    """Find the interpreter in a command: directly, in a script's first line, or after a program such as `env`.

    Returns:
        The command, with a script's interpreter written out; None if there is no interpreter.
    """
    path = (os.environ if command.env is None else command.env).get("PATH", os.defpath)
    folder = Path(command.cwd or os.curdir)
    for index, word in enumerate(command.words):
        is_starter = Path(command.words[0]).name in STARTERS
        if index and not is_starter:
            break
        found = str(folder / word) if os.sep in word else shutil.which(word, path=path)
        if found is None or not Path(found).is_file():
            continue
        before, after = command.words[:index], command.words[index + 1 :]
        clears = Path(command.words[0]).name == "env" and not {"-i", "-", "--ignore-environment"}.isdisjoint(before)
        if PYTHON.fullmatch(Path(found).name) or _is_this_python(found):
            return PythonCommand((*before, word), after, clears)
        if interpreter := _shebang(Path(found)):
            return PythonCommand((*before, interpreter[0]), (*interpreter[1:], found, *after), clears)
    return None


class Observed(msgspec.Struct, frozen=True):
    """What a command did when it ran again.

    Attributes:
        imports: The files of the modules that Python imported, with their names if known.
        started: The commands of its descendants.
        ended: Whether it ended by itself; otherwise it was killed.
        may_be_incomplete: Whether descendants may have ended unseen.
    """

    imports: tuple[tuple[str, Path], ...]
    started: tuple[Command, ...]
    ended: bool
    may_be_incomplete: bool = False


def observe(command: Command, python: PythonCommand | None, most_seconds: float = MOST_SECONDS) -> Observed:
    """Run a command, and record its descendants and, if it starts Python, its imports.

    Imports count even if the process fails or is killed. It polls for descendants every 2 ms, because an interpreter
    takes longer than that to start. If a look came too late and there were descendants, it runs the command again.

    Args:
        command: The command.
        python: The result of `find_python`; None: it starts another program.
        most_seconds: Maximum time of all runs together; then the process is killed.
    """
    end = REAL.wall() + most_seconds
    first = found = _observe_once(command, python, end)
    imports, started = [*found.imports], [*found.started]
    for _ in range(MOST_RUNS - 1):
        if not found.may_be_incomplete or REAL.wall() >= end:
            break
        found = _observe_once(command, python, end)
        imports += found.imports
        started += found.started
    return Observed(tuple(imports), tuple(started), first.ended)


def _observe_once(command: Command, python: PythonCommand | None, end: float) -> Observed:
    words = command.words if python is None else (*python.before, VERBOSE, *python.after)
    started: dict[tuple[int, tuple[str, ...]], Command] = {}
    is_late = False
    with tempfile.TemporaryFile() as output:
        looked = REAL.wall()
        process = subprocess.Popen(  # noqa: S603  # the user's own command
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            env=None if command.env is None else dict(command.env),
            cwd=command.cwd,
            start_new_session=True,
        )
        while not (ended := _has_ended(process)) and REAL.wall() < end:
            started |= living_commands(process.pid)
            is_late |= REAL.wall() - looked > LATE_SECONDS
            looked = REAL.wall()
            select.select([], [], [], LOOK_SECONDS)  # tests may replace `time.sleep`
        is_late |= REAL.wall() - looked > LATE_SECONDS
        had_descendants = ended and _has_waited_for_processes(process.pid)
        if not ended:
            # A server never ends; what it has imported so far counts.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output.seek(0)
        lines = output.read().decode(errors="replace").splitlines() if python else []
    module = read_words(python.after).module if python else None
    return Observed(
        imports=tuple(_read(lines, module)),
        # A launcher such as `env` becomes the program named by the command's last arguments; that is not a descendant.
        started=tuple(found for (_, those), found in started.items() if words[-len(those) :] != those),
        ended=ended,
        may_be_incomplete=is_late and had_descendants,
    )


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a process has ended; where `/proc` exists, leave it there until it is waited for."""
    if not processes_are_visible():
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # SIGCHLD is ignored, so nothing is left of a child that has ended
        return True


def _has_waited_for_processes(number: int) -> bool:
    """Return whether a process that has ended had waited for others: it keeps the sum of their page faults."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:  # no such system, or nothing is left of the process
        return False
    return int(fields[8]) > 0


def _read(lines: Sequence[str], module: str | None) -> Iterator[tuple[str, Path]]:
    names = {module} if module else set()
    files: dict[str, None] = {}
    for line in lines:
        if found := _ZIP.match(line) or _EXTENSION.match(line):
            yield found["name"], Path(found["file"]).resolve()
        elif found := _IMPORT.match(line):
            names.add(found["name"])
        elif found := _FILE.match(line):
            files[found["matched"] or found["code"]] = None
    for file in files:
        if not _CACHED.search(file):
            yield _name_of(file, names), Path(file).resolve()


def _name_of(file: str, names: set[str]) -> str:
    """Return the longest imported name that fits a file, otherwise the last part of its path."""
    parts = file.removesuffix(".pyc").removesuffix(".py").removesuffix("/__init__").split("/")
    fitting = (".".join(parts[start:]) for start in range(len(parts)))
    return next((name for name in fitting if name in names), parts[-1])


def _is_this_python(file: str) -> bool:
    try:
        return Path(file).samefile(sys.executable)
    except OSError:
        return False


def _shebang(script: Path) -> list[str] | None:
    """Read the interpreter's command from a script's first line; None if it does not name Python."""
    try:
        with script.open("rb") as file:
            start = file.read(2 * LONGEST_FIRST_LINE).decode(errors="replace")
    except OSError:
        return None
    if not start.startswith("#!"):
        return None
    lines = start[2:].splitlines()
    # If the path is long or has spaces, installers write `#!/bin/sh` and `'''exec' /path/python "$0" "$@"`.
    words = _split(lines[1]) if len(lines) > 1 and lines[1].startswith("'''exec'") else _split(lines[0])
    words = [word for word in words if word not in {"exec", "$0", "$@"} and not word.startswith("'''")]
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if word != "-S" and "=" not in word]
    return words if words and PYTHON.fullmatch(Path(words[0]).name) else None


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line.replace("'''exec'", "exec"))
    except ValueError:
        return line.split()
