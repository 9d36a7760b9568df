"""Records the commands that this process and its forks start, whichever of Python's functions they use.

The functions are replaced before the project's code is imported, so its own references to them are covered. An audit
hook would see the same calls, but it can never be removed and slows every `open` and `id` of a benchmark.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

from jarvisperf.gate.processes import descendants
from jarvisperf.measure.startup import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Noting = Callable[..., tuple[Any, Any, Any]]  # from a call's arguments to command, environment, working folder

MOST_NOTED = 50  # later calls of a benchmark start the same commands as the first
MOST_JOURNAL_BYTES = 200_000
SHELL = "/bin/sh"


class ProcessStarts:
    """Records commands between `begin` and `stop`.

    Args:
        journal: The file in which forks of this process record their commands; the process id is appended to its name.
    """

    def __init__(self, journal: Path) -> None:
        self._base = journal
        self._journal = journal
        self._process = os.getpid()
        self._commands: list[Command] = []
        self._is_noting = False
        self._has_noted = False
        self._forks = 0
        self._before = (0, set[int]())

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Replace the functions that start processes with ones that also record the command."""
        import _posixsubprocess  # `multiprocessing` calls it directly

        popen = inspect.signature(subprocess.Popen.__init__)
        replaced: list[tuple[Any, str, Noting]] = [
            (os, "system", lambda command: ([SHELL, "-c", command], None, None)),
            (os, "posix_spawn", lambda path, argv, env, **_: ([path, *argv[1:]], env, None)),
            (os, "posix_spawnp", lambda path, argv, env, **_: ([path, *argv[1:]], env, None)),
            (os, "execv", lambda path, argv: ([path, *argv[1:]], None, None)),
            (os, "execve", lambda path, argv, env: ([path, *argv[1:]], env, None)),
            (_posixsubprocess, "fork_exec", lambda argv, *more: (argv, _pairs(more[4]), more[3])),
            (subprocess.Popen, "__init__", lambda *args, **kwargs: _of_popen(popen.bind(*args, **kwargs).arguments)),
        ]
        forks: list[tuple[Any, str]] = [(os, "fork"), (os, "forkpty")]
        names = [(owner, name) for owner, name, _ in replaced] + forks
        originals = [(owner, name, getattr(owner, name)) for owner, name in names]
        try:
            for owner, name, arguments in replaced:
                setattr(owner, name, self._noting(getattr(owner, name), arguments))
            for owner, name in forks:
                setattr(owner, name, self._counting(getattr(owner, name)))
            yield
        finally:
            for owner, name, original in originals:
                setattr(owner, name, original)

    def begin(self) -> None:
        """Start recording; drop what was recorded so far."""
        self._process = os.getpid()
        self._journal = self._base.with_name(f"{self._base.name}-{self._process}")
        self._commands.clear()
        self._has_noted = False
        self._forks = 0
        self._before = (_reaped_faults(), descendants.children())
        self._is_noting = True

    def take(self) -> list[Command]:
        """Return the commands recorded since the last call, each once; recording continues."""
        taken, self._commands = self._commands, []
        if self._journal.exists():
            lines = self._journal.read_text(encoding="utf-8").splitlines()
            self._journal.unlink()
            taken += [Command(tuple(words), env, cwd) for words, env, cwd in map(json.loads, lines)]
        return [command for index, command in enumerate(taken) if command not in taken[:index]]

    def stop(self) -> None:
        """Stop recording."""
        self._is_noting = False

    def others_ended(self) -> bool:
        """Return whether a process has ended that was started neither by a fork nor by a replaced function.

        The system counts the page faults of children that were waited for, and every process causes some.
        """
        faults, children = self._before
        if self._has_noted or self._forks:
            return False
        return _reaped_faults() > faults and children <= descendants.children()

    def _counting(self, fork: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(fork)
        def counting() -> Any:
            self._forks += 1
            return fork()

        return counting

    def _noting(self, original: Callable[..., Any], arguments: Noting) -> Callable[..., Any]:
        @functools.wraps(original)
        def noting(*args: Any, **kwargs: Any) -> Any:
            if self._is_noting:
                # The function itself reports wrong arguments.
                with contextlib.suppress(TypeError, ValueError, IndexError, AttributeError, OSError):
                    self._note(*arguments(*args, **kwargs))
            return original(*args, **kwargs)

        return noting

    def _note(self, words: Any, env: Any, cwd: Any) -> None:
        if len(self._commands) >= MOST_NOTED:
            return
        variables = os.environ if env is None else env
        command = Command(
            tuple(os.fsdecode(word) for word in words),
            {os.fsdecode(name): os.fsdecode(value) for name, value in variables.items()},
            os.path.abspath(os.fsdecode(cwd or "")),  # noqa: PTH100  # a string, as `Popen` takes it
        )
        self._has_noted = True
        if os.getpid() == self._process:
            self._commands.append(command)
            return
        line = json.dumps([command.words, command.env, command.cwd]) + "\n"
        # A fork with fewer permissions may be unable to write, which must not make it fail.
        with contextlib.suppress(OSError), self._journal.open("a", encoding="utf-8") as journal:
            if journal.tell() < MOST_JOURNAL_BYTES:
                journal.write(line)


def _of_popen(given: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    args, executable = given["args"], given.get("executable")
    words = [args] if isinstance(args, str | bytes | os.PathLike) else list(args)
    if given.get("shell"):
        words = [executable or SHELL, "-c", *words]
    elif executable is not None:
        words[0] = executable
    return words, given.get("env"), given.get("cwd")


def _pairs(env: Any) -> dict[bytes, bytes] | None:
    return None if env is None else dict(entry.split(b"=", 1) for entry in env)


def _reaped_faults() -> int:
    import resource  # Windows does not have it

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
