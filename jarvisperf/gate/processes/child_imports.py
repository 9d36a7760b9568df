"""What a child process imports and starts: it is started once more with `-v`, and names its modules on standard error.

An option works where no variable of the environment does (`-I`, `-E`, an environment of the caller's own).
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
from jarvisperf.gate.processes.living import living_commands
from jarvisperf.measure.startup import Command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PYTHON = re.compile(r"(python|pypy)[\d.]*t?(\.exe)?")
# Programs that start the one which is named after their own options.
STARTERS = frozenset(
    {"env", "nice", "ionice", "timeout", "taskset", "time", "setarch", "chrt", "stdbuf", "nohup", "setsid", "numactl"}
    | {"uv", "poetry", "pdm", "hatch", "pipenv"}
)
VERBOSE = "-v"
MOST_SECONDS = 60.0
LOOK_SECONDS = 0.002
LONGEST_FIRST_LINE = 512

_FILE = re.compile(r"# (?:\S.* matches (?P<matched>.+)|code object from '?(?P<code>.+?)'?)$")
_CACHED = re.compile(r"\.\w+-\w+(\.opt-\w+)?\.pyc$")
_EXTENSION = re.compile(r"# extension module '(?P<name>[^']+)' loaded from '(?P<file>.+)'")
_ZIP = re.compile(r"import '(?P<name>[^']+)' # <zipimporter object \"(?P<file>.+?)/?\">")
_IMPORT = re.compile(r"import '(?P<name>[^']+)' # ")


class PythonCommand(msgspec.Struct, frozen=True):
    """A command that starts Python.

    Attributes:
        before: The words up to the interpreter, itself included.
        after: The words that follow.
        clears_environment: `env -i` stands before it.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    clears_environment: bool = False


def find_python(command: Command) -> PythonCommand | None:
    """Find the interpreter in a command: it is one, a script that names one, or started by a program such as `env`.

    Returns:
        The command, with a script's interpreter written out; None if no interpreter is found in it.
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
    """What a command did when it was started once more.

    Attributes:
        imports: What Python imported: names as far as they are known, and files.
        started: What its descendants were started with.
        ended: Whether it ended by itself; one that goes on is ended.
    """

    imports: tuple[tuple[str, Path], ...]
    started: tuple[Command, ...]
    ended: bool


def observe(command: Command, python: PythonCommand | None, most_seconds: float = MOST_SECONDS) -> Observed:
    """Start a command, and see what it imports if it starts Python, and which processes descend from it.

    It counts what was imported until the process ended, however it ended, or was ended. Descendants are looked for
    every 2 ms: a shorter life is not long enough for an interpreter to start.

    Args:
        command: The command.
        python: What `find_python` found in it; None: it starts another program.
        most_seconds: How long it may run.
    """
    words = command.words if python is None else (*python.before, VERBOSE, *python.after)
    started: dict[tuple[int, tuple[str, ...]], Command] = {}
    end = REAL.wall() + most_seconds
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603  # the user's own command
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            env=None if command.env is None else dict(command.env),
            cwd=command.cwd,
            start_new_session=True,
        )
        while (status := process.poll()) is None and REAL.wall() < end:
            started |= living_commands(process.pid)
            select.select([], [], [], LOOK_SECONDS)  # tests may replace `time.sleep`
        if status is None:
            # A server goes on: what it has imported by then is known.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        lines = output.read().decode(errors="replace").splitlines() if python else []
    module = read_words(python.after).module if python else None
    return Observed(
        imports=tuple(_read(lines, module)),
        # The program that a starter such as `env` becomes has the command's own last words.
        started=tuple(found for (_, those), found in started.items() if words[-len(those) :] != those),
        ended=status is not None,
    )


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
    """Give the longest of the names that a file can have."""
    parts = file.removesuffix(".pyc").removesuffix(".py").removesuffix("/__init__").split("/")
    fitting = (".".join(parts[start:]) for start in range(len(parts)))
    return next((name for name in fitting if name in names), parts[-1])


def _is_this_python(file: str) -> bool:
    try:
        return Path(file).samefile(sys.executable)
    except OSError:
        return False


def _shebang(script: Path) -> list[str] | None:
    """Read the interpreter's words from a script's first line; None: it names no Python."""
    try:
        with script.open("rb") as file:
            start = file.read(2 * LONGEST_FIRST_LINE).decode(errors="replace")
    except OSError:
        return None
    if not start.startswith("#!"):
        return None
    lines = start[2:].splitlines()
    # Installers write `#!/bin/sh` and `'''exec' /path/python "$0" "$@"` where the path is long or has spaces.
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
