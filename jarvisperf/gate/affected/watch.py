"""Watches what this process executes, opens, lists and imports, in all of its threads.

Code objects are seen by `sys.monitoring`, which calls back once for each, or before Python 3.12 by a profile function.
Files, imports and processes are seen by an audit hook (PEP 578), which nothing can remove. So are reads of a function's
code: a caller that compiles, inspects or serializes it depends on it without calling it.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
import threading
import types
from typing import TYPE_CHECKING, Any

from jarvisperf.gate.affected.model import MODULE, Executed, Touched

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path
    from types import CodeType, FrameType

    from jarvisperf.gate.affected.model import Links

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
MOST_HELD = 1000  # values of a container whose origin is looked up
OTHER_PROFILER = "another profiler replaced this one"
_SYSTEM = ("/dev/", "/proc/", "/sys/", "/usr/")
# Code between the caller that wants a file or a function's code and the event.
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
        self._reads: set[str] = set()
        self._writes: set[str] = set()
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
            "os.rename": self._hear_renaming,
            "sqlite3.connect": self._hear_database,
            "ctypes.dlopen": self._hear_library,
            "_thread.start_new_thread": self._hear_thread,
            "sys.setprofile": self._hear_profiler,
            "cpython.PyInterpreterState_New": self._hear_interpreter,
            **dict.fromkeys(PROCESSES, self._hear_process),
        }

    def start(self) -> None:
        """Start watching; this cannot be undone."""
        self._replace_fork_exec()
        if sys.version_info >= (3, 12):
            self._monitor()
        else:
            threading.setprofile(self._see)
            sys.setprofile(self._see)
        sys.addaudithook(self._hear)

    def fork(self) -> int:
        """Fork this process without counting that as a process that a benchmark starts."""
        self._forks = True
        try:
            return os.fork()
        finally:
            self._forks = False

    def forget_files(self) -> None:
        """Forget what was read and written so far, because no benchmark did that."""
        self._reads.clear()
        self._writes.clear()

    def lost(self) -> None:
        """Note that code may have run unseen if something has replaced the profile function."""
        if sys.version_info < (3, 12) and not sys.getprofile() == threading.getprofile() == self._see:
            self._unseen.add(OTHER_PROFILER)

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
            reads=frozenset(filter(_is_changeable, self._reads)),
            writes=frozenset(filter(_is_changeable, self._writes)),
            unseen=tuple(sorted(self._unseen)),
        )

    def links(self, known: Collection[str] = ()) -> Links:
        """Return, for each of the project's modules, the files that each of its names refers to.

        Args:
            known: Modules to leave out, by file.
        """
        rested, self._rests = self._rests, True  # looking into functions is what is watched for
        found: Links = {}
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            own = self._own(file) if isinstance(file, str) else ""
            if own and own not in known:
                names = found.setdefault(own, {})
                for name, value in list(vars(module).items()):
                    files = frozenset(place for one in _files_of(value) if (place := self._own(one)))
                    if files:
                        names[name] = names.get(name, frozenset()) | files
        self._rests = rested
        return found

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

    def _replace_fork_exec(self) -> None:
        """Hear of processes that `multiprocessing` and others start without an audit event."""
        import _posixsubprocess

        start: Callable[..., int] = _posixsubprocess.fork_exec

        def fork_exec(*args: Any) -> int:
            self._hear_process(args)
            return start(*args)

        _posixsubprocess.fork_exec = fork_exec

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

    def _hear_database(self, args: Sequence[Any]) -> None:
        for names in (self._opened, self._reads, self._writes):
            self._add(names, args[0])

    def _hear_renaming(self, args: Sequence[Any]) -> None:
        self._add(self._writes, args[1])

    def _hear_profiler(self, _: object) -> None:
        # Each new thread installs the one of this watch.
        if sys.version_info < (3, 12) and not _caller().endswith(f"{os.sep}threading.py"):
            self._unseen.add(OTHER_PROFILER)

    def _hear_interpreter(self, _: object) -> None:
        self._unseen.add("it starts another interpreter")

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
        name = path if isinstance(path, str) else os.fsdecode(path) if isinstance(path, bytes | os.PathLike) else ""
        is_python = name.endswith((".py", ".pyc"))
        if is_python and (_loads_code() or _is_pytests(_caller())):
            return
        self._add(self._opened, path)
        reads, writes = _directions(*args[1:3])
        if reads:
            self._add(self._reads, path)
        if writes:
            self._add(self._writes, path)

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
    frame = _calling_frame()
    return frame.f_code.co_filename if frame is not None else ""


def _calling_frame() -> FrameType | None:
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001
    while frame is not None and (frame.f_code.co_filename == __file__ or _is_helper(frame.f_code.co_filename)):
        frame = frame.f_back
    return frame


def _loads_code() -> bool:
    """Return whether the import system opens a file to run it; a loader may also be asked for a file as data."""
    frame = _calling_frame()
    if frame is None or not _is_import_system(frame.f_code.co_filename):
        return False
    user = frame.f_back if frame.f_code.co_name == "get_data" else None
    return user is None or user.f_code.co_name == "get_code"


def _directions(mode: str | None, flags: int) -> tuple[bool, bool]:
    """Return whether a file is opened for reading, and for writing."""
    if mode is None:  # `os.open`
        access = flags & (os.O_WRONLY | os.O_RDWR)
        return access != os.O_WRONLY, bool(access)
    return "r" in mode or "+" in mode, not {"w", "a", "x", "+"}.isdisjoint(mode)


def _is_changeable(path: str) -> bool:
    """Return whether a file may be something that a benchmark makes for another, rather than part of the system."""
    is_the_systems = path.startswith((*_SYSTEM, sys.prefix + os.sep, sys.base_prefix + os.sep))
    return not (is_the_systems or os.path.isdir(path))  # noqa: PTH112


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


def _files_of(value: object, depth: int = 2) -> Iterator[str]:
    """Yield the files of a module, class or function, of an object's class, and of what a container holds."""
    if isinstance(value, types.ModuleType):
        file = vars(value).get("__file__")
        yield file if isinstance(file, str) else ""
    elif isinstance(value, types.FunctionType):
        yield value.__code__.co_filename
        yield from _files_of(vars(value).get("__wrapped__"), depth)
    elif isinstance(value, types.MethodType):
        yield value.__func__.__code__.co_filename
    elif isinstance(value, type):
        module = sys.modules.get(value.__module__)
        if module is not None:
            yield from _files_of(module)
    elif value is not None:
        yield from _files_of(type(value))
        yield from (file for one in _held_by(value) if depth for file in _files_of(one, depth - 1))


def _held_by(value: object) -> list[object]:
    """Return what a container or a wrapper of a function holds, without running any code of the project."""
    kind = type(value)
    if kind is dict:
        return list(value.values())[:MOST_HELD]  # type: ignore[attr-defined]
    if kind in {list, tuple, set, frozenset}:
        return list(itertools.islice(value, MOST_HELD))  # type: ignore[call-overload]
    if kind is functools.partial:
        return [value.func, *value.args, *value.keywords.values()]  # type: ignore[attr-defined]
    return [value.__wrapped__] if kind is functools._lru_cache_wrapper else []  # type: ignore[attr-defined]  # noqa: SLF001
