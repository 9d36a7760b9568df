"""Checks that processes started by a benchmark run the arm's own code; otherwise both arms would measure the same code.

Child processes of an arm find its checkout through `PYTHONPATH`. A child that ignores the environment, or gets a
different one, may import the project from the working tree or from where it is installed. A command that `startup`
measures is therefore run once beforehand to see what it imports, and so are processes of a target that may not see
`PYTHONPATH`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvisperf.gate.processes.child_imports import find_python, imported_files
from jarvisperf.gate.processes.interpreter import read_words
from jarvisperf.measure.startup import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jarvisperf.gate.processes.child_imports import PythonCommand
    from pytest_jarvisperf.arms.foreign_modules import ForeignModules

__tracebackhide__ = True  # the error concerns the user's command
PATH_VARIABLE = "PYTHONPATH"
INSTALLERS = frozenset(
    {"pip", "venv", "ensurepip", "virtualenv", "build"}
)  # modules that run for long, and no project code


class ForeignChildError(RuntimeError):
    """A child process runs code from outside the arm; the message names the code and says what to do."""


class ChildProcesses:
    """Checks the child processes of an arm.

    Args:
        foreign: Recognizes modules of the project that do not come from this arm.
    """

    def __init__(self, foreign: ForeignModules) -> None:
        self._foreign = foreign
        self._started: list[Command] = []
        self._stop: Callable[[], object] = int

    def check(self, command: Command) -> str | None:
        """Run a command once to see where it imports the project from.

        Returns:
            A note for the report if that cannot be determined.

        Raises:
            ForeignChildError: It imports the project from outside this arm's checkout.
        """
        python = find_python(command)
        if python is None:
            return self._check_program(command)
        script = read_words(python.after).script
        if script is not None:
            self._check_file(command, "__main__", (Path(command.cwd or os.curdir) / script).resolve())
        for name, file in imported_files(command, python):
            self._check_file(command, name, file)
        return None

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Record the processes that a test starts in its fixtures and first call, until they are checked."""
        original = subprocess.Popen.__init__
        self._started.clear()

        def noting(process: subprocess.Popen[Any], args: Any, *more: Any, **kwargs: Any) -> None:
            original(process, args, *more, **kwargs)
            if command := _command(args, kwargs):
                self._started.append(command)

        def stop() -> None:
            subprocess.Popen.__init__ = original  # type: ignore[method-assign]

        self._stop = stop
        subprocess.Popen.__init__ = noting  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            stop()

    def check_started(self) -> None:
        """Check the recorded processes that may not see the arm's `PYTHONPATH`, and stop recording.

        Raises:
            ForeignChildError: One imports the project from outside this arm's checkout.
        """
        self._stop()
        for command in self._started:
            python = find_python(command)
            if python is not None and _may_evade(command, python):
                self.check(command)
        self._started.clear()

    def _check_program(self, command: Command) -> str | None:
        word = command.words[0]
        if os.sep in word:
            self._check_file(command, "", (Path(command.cwd or os.curdir) / word).resolve())
            if self._foreign.is_the_arms(Path(word).resolve()):
                return None
        return (
            f"{word!r} is not a Python program, so which code its processes run cannot be verified: it may be the same "
            "in both arms"
        )

    def _check_file(self, command: Command, name: str, file: Path) -> None:
        if self._foreign.is_foreign(name, file) and not _is_in_environment(file):
            what = f"imported {name} from {file}" if name.strip("_") not in {"", "main"} else f"runs {file}"
            raise ForeignChildError(
                f"{command.shown} {what}, not from this arm's checkout, so both arms may run the same code; let it see "
                f"{PATH_VARIABLE} (no -I or -E; an env= that extends os.environ), or start 'python' from the PATH and "
                "give --jarvis-arm-install, which makes an environment for each arm"
            )


def with_arms_path(command: Command) -> Command:
    """Put the arm's folders first in a command's own environment."""
    if command.env is None:
        return command
    given = command.env.get(PATH_VARIABLE, "").split(os.pathsep)
    paths = [*os.environ.get(PATH_VARIABLE, "").split(os.pathsep), *given]
    joined = os.pathsep.join(dict.fromkeys(filter(None, paths)))
    return Command(command.words, {**command.env, PATH_VARIABLE: joined}, command.cwd)


def _command(args: Any, kwargs: dict[str, Any]) -> Command | None:
    """Return the command that a call of `Popen` starts; None if a shell interprets it."""
    if kwargs.get("shell") or isinstance(args, str | bytes):
        return None
    try:
        words: Sequence[str] = [os.fsdecode(word) for word in (args if not isinstance(args, os.PathLike) else [args])]
        env, cwd = kwargs.get("env"), kwargs.get("cwd")
        variables = None if env is None else {os.fsdecode(key): os.fsdecode(value) for key, value in env.items()}
    except TypeError:  # Popen rejects it too
        return None
    return Command(tuple(words), variables, None if cwd is None else os.fsdecode(cwd)) if words else None


def _may_evade(command: Command, python: PythonCommand) -> bool:
    """Return whether a Python process may lack the arm's folders at the front of its search path."""
    own = os.environ.get(PATH_VARIABLE, "")
    sees = command.env is None or command.env.get(PATH_VARIABLE, "").startswith(own)
    words = read_words(python.after)
    return words.module not in INSTALLERS and (not sees or python.clears_environment or words.ignores_environment)


def _is_in_environment(file: Path) -> bool:
    """Return whether a file belongs to a virtual environment, such as an installed command."""
    return any((folder / "pyvenv.cfg").exists() for folder in file.parents[1:3]) and "site-packages" not in file.parts
