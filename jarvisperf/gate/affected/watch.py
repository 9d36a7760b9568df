"""Watches what this process executes, opens, lists and imports, in all of its threads.

Code objects are seen by `sys.monitoring`, which calls back once for each, or before Python 3.12 by a profile function.
Files, imports and processes are seen by an audit hook (PEP 578), which nothing can remove. So are reads of a function's
code: whoever compiles, inspects or serializes it depends on it without calling it.
"""

from __future__ import annotations

import os
import sys
import threading
import types
from typing import TYPE_CHECKING, Any

from jarvisperf.gate.affected.touched import MODULE, Executed, Touched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import CodeType, FrameType

PROCESSES = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
        "os.system",
        "pty.spawn",
        "subprocess.Popen",
    }
)
TOOL = "jarvisperf"
# Code between whoever wants a file or a function's code and the event.
_HELPERS = frozenset({"functools.py", "inspect.py", "linecache.py", "pathlib.py", "tokenize.py"})
_LIBRARY = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120
_PACKAGES = os.path.abspath(__file__).rpartition(f"{os.sep}jarvisperf{os.sep}gate{os.sep}")[0]  # noqa: PTH100
_IMPORTS = "<frozen importlib"
_METADATA = os.path.join(_LIBRARY, "importlib", "metadata", "")  # noqa: PTH118  # searched for by each plugin manager
_OURS = tuple(os.path.join(_PACKAGES, name, "") for name in ("jarvisperf", "pytest_jarvisperf"))  # noqa: PTH118
_PYTEST = (f"{os.sep}_pytest{os.sep}", f"{os.sep}pluggy{os.sep}")


class CodeWatch:
    """Watches this process from `start` to its end.

    Args:
        root: The arm's checkout.

    Attributes:
        has_begun: Whether collection has begun; before that, what plugins start and load is none of the project's.
    """

    def __init__(self, root: Path) -> None:
        self.has_begun = False
        self._root = os.path.realpath(root) + os.sep
        self._codes: dict[int, CodeType] = {}
        self._read: dict[int, types.FunctionType] = {}
        self._opened: set[str] = set()
        self._listed: set[str] = set()
        self._imported: set[str] = set()
        self._unseen: set[str] = set()
        self._native: set[str] = set()
        self._forks = False
        self._rests = False
        self._handlers: dict[str, Callable[[Sequence[Any]], None]] = {
            "object.__getattr__": self._hear_attribute,
            "open": self._hear_open,
            "import": self._hear_import,
            "os.listdir": self._hear_listing,
            "os.scandir": self._hear_listing,
            "sqlite3.connect": self._hear_library,
            "ctypes.dlopen": self._hear_library,
            "_thread.start_new_thread": self._hear_thread,
            **dict.fromkeys(PROCESSES, self._hear_process),
        }

    def start(self) -> None:
        """Start watching; this cannot be undone."""
        sys.addaudithook(self._hear)
        if sys.version_info >= (3, 12):
            self._monitor()
        else:
            threading.setprofile(self._see)
            sys.setprofile(self._see)

    def fork(self) -> int:
        """Fork this process without counting that as a process that a benchmark starts."""
        self._forks = True
        try:
            return os.fork()
        finally:
            self._forks = False

    def lost(self) -> None:
        """Note that code may have run unseen if something has replaced the profile function."""
        if sys.version_info < (3, 12) and sys.getprofile() != self._see:
            self._unseen.add("another profiler replaced this one")

    def touched(self) -> Touched:
        """Return what was touched so far."""
        codes = [*self._codes.values(), *_all_codes(one.__code__ for one in list(self._read.values()))]
        executed = {Executed(file, one.co_qualname) for one in codes if (file := self._own(one.co_filename))}
        files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        executed |= {Executed(own, MODULE) for file in files if isinstance(file, str) and (own := self._own(file))}
        return Touched(
            executed=frozenset(executed),
            opened=frozenset(name for path in self._opened for name in self._names(path)),
            listed=frozenset(name or "." for path in self._listed for name in self._names(path)),
            imported=frozenset(self._imported),
            native=frozenset(self._native),
            unseen=tuple(sorted(self._unseen)),
        )

    def links(self) -> dict[str, frozenset[str]]:
        """Return, for each of the project's modules, the files that its names refer to."""
        self._rests = True  # looking into functions is what is watched for
        found: dict[str, set[str]] = {}
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            own = self._own(file) if isinstance(file, str) else ""
            if own:
                values = list(vars(module).values())
                found.setdefault(own, set()).update(name for one in values if (name := self._own(_file_of(one))))
        return {file: frozenset(names) for file, names in found.items()}

    def _see(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            code = frame.f_code
            self._codes.setdefault(id(code), code)

    def _monitor(self) -> None:
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        tool = next(number for number in range(6) if monitoring.get_tool(number) is None)
        monitoring.use_tool_id(tool, TOOL)

        def see(code: CodeType, *_: object) -> object:
            self._codes.setdefault(id(code), code)
            return monitoring.DISABLE

        events = monitoring.events
        for event in (events.PY_START, events.PY_RESUME):
            monitoring.register_callback(tool, event, see)
        monitoring.set_events(tool, events.PY_START | events.PY_RESUME)

    def _hear(self, event: str, args: Sequence[Any]) -> None:
        handle = self._handlers.get(event)
        if handle is not None and not self._rests:
            handle(args)

    def _hear_attribute(self, args: Sequence[Any]) -> None:
        if args[1] == "__code__" and type(args[0]) is types.FunctionType and not _reads_flags_only():
            self._read.setdefault(id(args[0]), args[0])

    def _hear_import(self, args: Sequence[Any]) -> None:
        name, file = args[:2]
        self._imported.add(name)
        if not file:
            return
        self._add(self._opened, file)
        is_the_librarys = name.partition(".")[0] in sys.stdlib_module_names
        if not is_the_librarys and (self.has_begun or self._is_own_doing()):
            self._native.add(name)

    def _hear_listing(self, args: Sequence[Any]) -> None:
        caller = _caller()
        if not (_is_import_system(caller) or _is_pytests(caller)):
            self._add(self._listed, "." if args[0] is None else args[0])

    def _hear_library(self, args: Sequence[Any]) -> None:
        if args[0]:
            self._add(self._opened, args[0])

    def _hear_process(self, _: object) -> None:
        if not self._forks and (self.has_begun or self._is_own_doing()):
            self._unseen.add("it starts processes")

    def _hear_thread(self, _: object) -> None:
        if sys.version_info < (3, 12) and not _caller().endswith(f"{os.sep}threading.py"):
            self._unseen.add("it starts threads that cannot be watched")

    def _hear_open(self, args: Sequence[Any]) -> None:
        path = args[0]
        if isinstance(path, int) or path is None:  # a file that was opened before
            return
        caller = _caller()
        name = path if isinstance(path, str) else os.fsdecode(path) if isinstance(path, bytes | os.PathLike) else ""
        is_python = name.endswith((".py", ".pyc"))
        if not (is_python and (_is_import_system(caller) or _is_pytests(caller))):
            self._add(self._opened, path)

    def _add(self, names: set[str], path: Any) -> None:
        """Add a path, made absolute now, because a test may change the folder later."""
        try:
            name = os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else os.fsdecode(path)  # noqa: PTH115
            names.add(os.path.join(os.getcwd(), name))  # noqa: PTH109,PTH118
        except (OSError, TypeError):
            self._unseen.add("it uses a folder that cannot be named")

    def _is_own_doing(self) -> bool:
        """Return whether code of the checkout is running, not only plugins that ask git for a version."""
        frame: FrameType | None = sys._getframe()  # noqa: SLF001
        while frame is not None:
            if self._own(frame.f_code.co_filename):
                return True
            frame = frame.f_back
        return False

    def _own(self, file: str) -> str:
        """Return a file's name relative to the checkout; empty if it lies elsewhere."""
        if not file or file.startswith("<"):
            return ""
        path = os.path.realpath(file)
        return path[len(self._root) :].replace(os.sep, "/") if path.startswith(self._root) else ""

    def _names(self, path: str) -> Iterator[str]:
        """Yield a path's names relative to the checkout: as it was given, and behind its links."""
        for one in {os.path.abspath(path), os.path.realpath(path)}:  # noqa: PTH100  # `resolve` follows links
            if f"{one}{os.sep}".startswith(self._root):
                yield one[len(self._root) :].replace(os.sep, "/")


def _caller() -> str:
    """Return the file of the code that caused an audit event, past helpers of the standard library."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    while frame is not None:
        name = frame.f_code.co_filename
        if not _is_helper(name):
            return name
        frame = frame.f_back
    return ""


def _is_helper(file: str) -> bool:
    if file.startswith(_LIBRARY):
        first = file[len(_LIBRARY) :].partition(os.sep)[0]  # pathlib is a package since Python 3.13
        return first in _HELPERS or first == "pathlib"
    return file.startswith("<frozen ") and not file.startswith(_IMPORTS)


def _reads_flags_only() -> bool:
    """Return whether a function's code is read only for its flags and parameters, which count as part of an import."""
    reader = sys._getframe(3).f_code  # noqa: SLF001
    asks_for_a_flag = reader.co_name == "_has_code_flag"  # inspect.iscoroutinefunction and others
    return asks_for_a_flag or reader.co_filename.startswith(_OURS) or _is_pytests(_caller())


def _is_import_system(caller: str) -> bool:
    return caller.startswith((_IMPORTS, _METADATA))


def _is_pytests(caller: str) -> bool:
    """Return whether code belongs to pytest, which looks at tests without running them."""
    return any(part in caller for part in _PYTEST)


def _all_codes(codes: Any) -> Iterator[CodeType]:
    for code in codes:
        yield code
        yield from _all_codes(one for one in code.co_consts if isinstance(one, types.CodeType))


def _file_of(value: object) -> str:
    """Return the file that a module, class or function comes from; empty for anything else."""
    if isinstance(value, types.ModuleType):
        file = vars(value).get("__file__")
        return file if isinstance(file, str) else ""
    if isinstance(value, types.FunctionType):
        return value.__code__.co_filename
    if isinstance(value, type):
        module = sys.modules.get(value.__module__)
        return _file_of(module) if module is not None else ""
    return ""
