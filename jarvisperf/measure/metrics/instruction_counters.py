"""Counts the instructions of this process: by the processor's counters, or by valgrind if the process runs under it.

The processor's counters are read by perf_event_open(2). Virtual machines rarely have them. valgrind's callgrind counts
what it interprets; a program switches it on and off by client requests, a sequence of instructions that does nothing
elsewhere (https://valgrind.org/docs/manual/manual-core-adv.html and valgrind.h).
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import platform
import re
import shutil
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from typing import Self

HARDWARE, VALGRIND = "hardware counter", "valgrind"
FOLDER_VARIABLE = "_JARVISPERF_CALLGRIND"  # internal: set for arms under valgrind
ADVICE = (
    "instructions cannot be counted here: the processor's counters are not available (perf_event_open) and valgrind is "
    "not installed; install it, for example with: apt install valgrind"
)
NOT_HERE = (
    "without hardware counters, instructions are counted by valgrind, in arms that run under it: compare with "
    "--jarvis-against and --jarvis-metrics instructions"
)

# linux/perf_event.h
_SYSCALL_NUMBERS = {"x86_64": 298, "aarch64": 241}
_TYPE_HARDWARE, _INSTRUCTIONS = 0, 1
_ATTRIBUTE_BYTES = 64
_INHERIT, _EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6

# valgrind.h, callgrind.h
_RUNNING_ON_VALGRIND = 0x1001
_CALLGRIND = (ord("C") << 24) | (ord("T") << 16)
_ZERO, _DUMP_AT, _START, _STOP = (_CALLGRIND + number for number in (1, 3, 4, 5))
# long request(long *arguments): mov rax, rdi; xor edx, edx; rol rdi by 3, 13, 61, 51; xchg rbx, rbx; mov rax, rdx; ret
_REQUEST_X86_64 = bytes.fromhex("4889f831d248c1c70348c1c70d48c1c73d48c1c7334887db4889d0c3")


class Counter(Protocol):
    """Counts instructions while it is entered."""

    instructions: int

    def __enter__(self) -> object: ...

    def __exit__(self, *_: object) -> None: ...


class CountingWay(msgspec.Struct, frozen=True):
    """How the arms count instructions.

    Attributes:
        method: ``hardware counter`` or ``valgrind``.
        words: The command under which an arm's interpreter runs; empty: as usual.
        variables: Environment variables for the arm.
    """

    method: str
    words: tuple[str, ...] = ()
    variables: dict[str, str] = {}


def method_of_arms() -> str | None:
    """Return how arms on this machine can count instructions; None if they cannot."""
    if _has_hardware_counter():
        return HARDWARE
    return VALGRIND if shutil.which("valgrind") and platform.machine() == "x86_64" else None


def way_to_count(folder: Path) -> CountingWay | None:
    """Return how arms on this machine can count instructions; None if they cannot.

    Args:
        folder: A folder for valgrind's files, which exists.
    """
    method = method_of_arms()
    if method != VALGRIND:
        return CountingWay(method) if method else None
    options = ("--tool=callgrind", "--instr-atstart=no", "--vgdb=no", "-q", f"--log-file={folder}/log.%p")
    words = ("valgrind", *options, f"--callgrind-out-file={folder}/counts.%p")
    return CountingWay(VALGRIND, words, {FOLDER_VARIABLE: str(folder)})


def method_here() -> str:
    """Return how this process can count its instructions.

    Raises:
        ValueError: It cannot; the message says what to do.
    """
    if _has_hardware_counter():
        return HARDWARE
    if os.environ.get(FOLDER_VARIABLE) and platform.machine() == "x86_64" and _request()(_RUNNING_ON_VALGRIND):
        return VALGRIND
    raise ValueError(NOT_HERE if shutil.which("valgrind") else ADVICE)


def counter_of(method: str) -> Counter:
    """Return a counter of instructions, starting at 0."""
    return HardwareCounter() if method == HARDWARE else CallgrindCounter(Path(os.environ[FOLDER_VARIABLE]))


class HardwareCounter:
    """Counts the instructions in user space of the thread that enters it, and of threads that it starts.

    Attributes:
        instructions: The count so far.

    Raises:
        OSError: The kernel does not allow it.
    """

    def __init__(self) -> None:
        self.instructions = 0

    def __enter__(self) -> Self:
        self._descriptor = _open_counter()
        return self

    def __exit__(self, *_: object) -> None:
        data = os.read(self._descriptor, 8)
        os.close(self._descriptor)
        self.instructions += int(struct.unpack("Q", data)[0])


def _open_counter() -> int:
    number = _SYSCALL_NUMBERS.get(platform.machine())
    if number is None:
        raise OSError(f"perf_event_open is not known on {platform.machine()}")
    flags = _INHERIT | _EXCLUDE_KERNEL | _EXCLUDE_HYPERVISOR
    attribute = struct.pack("IIQQQQQIIQ", _TYPE_HARDWARE, _ATTRIBUTE_BYTES, _INSTRUCTIONS, 0, 0, 0, flags, 0, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.syscall(number, attribute, 0, -1, -1, 0))
    if descriptor < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return descriptor


@functools.cache
def _has_hardware_counter() -> bool:
    try:
        with HardwareCounter() as counter:
            sum(range(100))
    except (OSError, AttributeError):  # a system without syscall(2)
        return False
    return counter.instructions > 0


class CallgrindCounter:
    """Counts the instructions of the whole process, which runs under callgrind.

    Args:
        folder: The folder of callgrind's files.

    Attributes:
        instructions: The count so far.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = ctypes.create_string_buffer(b"jarvisperf")
        self._call = _request()
        self.instructions = 0

    def __enter__(self) -> Self:
        self._call(_START)
        self._call(_ZERO)
        return self

    def __exit__(self, *_: object) -> None:
        self._call(_DUMP_AT, ctypes.addressof(self._name))
        self._call(_STOP)
        for file in self._folder.glob(f"counts.{os.getpid()}.*"):
            found = re.search(rb"^totals: (\d+)$", file.read_bytes(), re.MULTILINE)
            self.instructions += int(found[1]) if found else 0
            file.unlink()


@functools.cache
def _request() -> Any:
    """Return a function that makes a client request: the request and its arguments; it returns 0 without valgrind."""
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(_REQUEST_X86_64)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    arguments = ctypes.c_ulong * 6
    function = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.POINTER(arguments))(address)

    def request(*words: int) -> int:
        return int(function(ctypes.byref(arguments(*words))))

    request.__dict__["memory"] = memory  # must outlive the function
    return request
