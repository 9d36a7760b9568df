"""Checks that the processes a benchmark starts in an arm run that arm's code; otherwise both arms measure the same.

An arm's children find its checkout through `PYTHONPATH`. A child that ignores the environment, or gets a different one,
may import the project from the working tree or an installation. Commands are therefore run again to see what they
import and what they start in turn: those that `startup` measures and those that a test starts in its first call.
Commands of fixtures and of processes still running are run again only if they may bypass `PYTHONPATH`.
"""

from __future__ import annotations

import hashlib
import json
import os
from os import getpid  # bound before tests can replace it
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.clocks import REAL
from jarvisperf.gate.processes.child_imports import MOST_SECONDS, find_python, observe
from jarvisperf.gate.processes.interpreter import read_words
from jarvisperf.gate.processes.living import living_commands, processes_are_visible
from jarvisperf.gate.processes.shell_lines import plain_command
from jarvisperf.measure.startup import Command
from pytest_jarvisperf.arms.process_starts import SHELL, ProcessStarts

if TYPE_CHECKING:
    from jarvisperf.gate.processes.child_imports import PythonCommand
    from pytest_jarvisperf.arms.foreign_modules import ForeignModules

__tracebackhide__ = True  # the error is about the user's command
PATH_VARIABLE = "PYTHONPATH"
MOST_SECONDS_ASIDE = 3.0  # for a child that sees the arm's folders; what it starts may not see them
MOST_SECONDS_OWN = 15.0  # for all such children of a test, because the coordinator is waiting
INSTALLERS = frozenset({"pip", "venv", "ensurepip", "virtualenv", "build"})  # slow modules that do not run the project


class ForeignChildError(RuntimeError):
    """A child process runs code from outside the arm; the message names the process and says what to do."""


class ChildProcesses:
    """Checks the processes that an arm starts.

    Args:
        foreign: Recognizes the project's code from outside this arm.
        starts: Records the processes that this one starts.
        passed: The file in which this process and its forks record the commands they have checked; it need not exist.
    """

    def __init__(self, foreign: ForeignModules, starts: ProcessStarts, passed: Path) -> None:
        self._foreign = foreign
        self._starts = starts
        self._passed = passed
        self._fixtures: list[Command] = []
        self._notes: dict[str, str | None] = {}

    def check(self, command: Command, most_seconds: float = MOST_SECONDS) -> str | None:
        """Run a command once, and check where it and its descendants import the project from.

        Args:
            command: The command that was or will be measured.
            most_seconds: Maximum time before it is killed.

        Returns:
            A note for readers of the figures if the check was not complete.

        Raises:
            ForeignChildError: The project was imported from outside this arm's checkout.
        """
        command, python = _without_shell(command)
        note = None
        if python is None:
            note = self._check_program(command)
        elif (script := _script(command, python)) is not None:
            self._check_file(command, "__main__", script)
        try:
            observed = observe(command, python, most_seconds)
        except OSError as error:
            return f"{command.shown} could not be started again ({error.strerror}), so its code cannot be verified"
        for name, file in observed.imports:
            self._check_file(command, name, file)
        for started in observed.started:
            self._check_evading(started)
        if note is None and not processes_are_visible():
            return f"the code of the processes that {command.shown} starts cannot be verified on this system"
        if note is None and not observed.ended:
            return f"{command.shown} was watched for {most_seconds:.0f} s; what it starts later cannot be verified"
        return note

    def watch(self) -> None:
        """Start recording the processes of a test, beginning with those of its fixtures."""
        self._fixtures = []
        self._starts.begin()

    def watch_call(self) -> None:
        """Start recording the processes of the test itself, after its fixtures have been set up."""
        self._fixtures += self._starts.take()

    def check_started(self) -> list[str]:
        """Stop recording, and check the recorded processes.

        Commands of fixtures are run again only if they may bypass the arm's `PYTHONPATH`, because they may be servers
        or fill a database. The test's own Python commands are always run again: the benchmark repeats them anyway.

        Returns:
            Notes for readers of the figures about processes whose code cannot be verified.

        Raises:
            ForeignChildError: A process imports the project from outside this arm's checkout.
        """
        self._starts.stop()
        own = self._starts.take()
        living = [command for (number, _), command in living_commands(getpid()).items() if number != getpid()]
        for command in [*self._fixtures, *living]:
            self._check_evading(command)
        self._fixtures = []
        end = REAL.wall() + MOST_SECONDS_OWN
        notes = [self._check_own(command, end) for command in own if not _is_multiprocessings(command)]
        if self._starts.others_ended():
            notes.append(
                "it started processes in a way that cannot be traced, so which code they run cannot be verified: it "
                "may be the same in both arms"
            )
        return list(dict.fromkeys(filter(None, notes)))

    def _check_own(self, command: Command, end: float) -> str | None:
        """Check a command of the test itself; skip one that cannot bypass `PYTHONPATH` if it is later than `end`."""
        command, python = _without_shell(command)
        if python is None:
            return self._check_program(command)
        if self._may_evade(command, python):
            return self._check_once(command, MOST_SECONDS)
        if read_words(python.after).module in INSTALLERS:
            return None
        if REAL.wall() > end:
            return "it starts many Python processes, and what some of them start in turn cannot be verified"
        return self._check_once(command, MOST_SECONDS_ASIDE)

    def _check_evading(self, command: Command) -> None:
        command, python = _without_shell(command)
        if python is not None and self._may_evade(command, python):
            self._check_once(command, MOST_SECONDS)

    def _check_once(self, command: Command, most_seconds: float) -> str | None:
        """Check a command unless it has passed before (a session's server) or is being checked (a cycle)."""
        env = None if command.env is None else sorted(command.env.items())
        key = hashlib.sha256(repr((command.words, command.cwd, env)).encode(errors="surrogateescape")).hexdigest()
        if key not in self._notes and self._passed.exists():
            self._notes |= dict(map(json.loads, self._passed.read_text(encoding="utf-8").splitlines()))
        if key not in self._notes:
            self._notes[key] = None
            try:
                self._notes[key] = self.check(command, most_seconds)
            except ForeignChildError:
                del self._notes[key]  # the next test with this command fails too
                raise
            with self._passed.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, self._notes[key]]) + "\n")
        return self._notes[key]

    def _may_evade(self, command: Command, python: PythonCommand) -> bool:
        """Return whether a Python process may search other folders before the arm's."""
        own = os.environ.get(PATH_VARIABLE, "")
        sees = command.env is None or command.env.get(PATH_VARIABLE, "").startswith(own)
        words = read_words(python.after)
        if words.module in INSTALLERS or _is_multiprocessings(command):
            return False
        script = _script(command, python)
        first = script or (Path(command.cwd or os.curdir).resolve() / "module")  # its folder is searched first
        return not sees or python.clears_environment or words.ignores_environment or self._is_foreign("", first)

    def _check_program(self, command: Command) -> str | None:
        word = command.words[0]
        if os.sep in word:
            file = (Path(command.cwd or os.curdir) / word).resolve()
            self._check_file(command, "", file)
            if self._foreign.is_the_arms(file) or not file.exists():  # `os.execvp` tries each folder on the PATH
                return None
        is_line = command.words[:2] == (SHELL, "-c")  # from `os.system` or `shell=True`
        shown = f"the shell line {Command(command.words[2:]).shown}" if is_line else repr(word)
        return (
            f"{shown} is not a Python program, so which code its processes run cannot be verified: it may be the same "
            "in both arms"
        )

    def _check_file(self, command: Command, name: str, file: Path) -> None:
        if self._is_foreign(name, file):
            what = f"imported {name} from {file}" if name.strip("_") not in {"", "main"} else f"runs {file}"
            raise ForeignChildError(
                f"{command.shown} {what}, not from this arm's checkout, so both arms may run the same code; let it see "
                f"{PATH_VARIABLE} (no -I or -E; an env= that extends os.environ), or start 'python' from the PATH and "
                "give --jarvis-arm-install, which makes an environment for each arm"
            )

    def _is_foreign(self, name: str, file: Path) -> bool:
        return self._foreign.is_foreign(name, file) and not _is_in_environment(file)


def with_arms_path(command: Command) -> Command:
    """Put the arm's folders first in the `PYTHONPATH` of a command that has its own environment."""
    if command.env is None:
        return command
    given = command.env.get(PATH_VARIABLE, "").split(os.pathsep)
    paths = [*os.environ.get(PATH_VARIABLE, "").split(os.pathsep), *given]
    joined = os.pathsep.join(dict.fromkeys(filter(None, paths)))
    return Command(command.words, {**command.env, PATH_VARIABLE: joined}, command.cwd)


def _without_shell(command: Command) -> tuple[Command, PythonCommand | None]:
    """Find the interpreter that a command starts; if a shell only starts that interpreter, leave out the shell."""
    plain = plain_command(command)
    if plain is not None and (python := find_python(plain)) is not None:
        return plain, python
    return command, find_python(command)


def _script(command: Command, python: PythonCommand) -> Path | None:
    script = read_words(python.after).script
    return None if script is None else (Path(command.cwd or os.curdir) / script).resolve()


def _is_multiprocessings(command: Command) -> bool:
    """Return whether this is a child of `multiprocessing`, which inherits the search path and needs its parent."""
    return "--multiprocessing-fork" in command.words or command.words[-1].startswith("from multiprocessing.")


def _is_in_environment(file: Path) -> bool:
    """Return whether a file, such as an installed command, belongs to a virtual environment."""
    return any((folder / "pyvenv.cfg").exists() for folder in file.parents[1:3]) and "site-packages" not in file.parts
