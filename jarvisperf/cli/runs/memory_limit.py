"""Bounds the memory that this process may take while it runs something that others wrote."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def more_memory_at_most(size_bytes: int) -> Iterator[None]:
    """Let allocations fail that would make this process larger than it is now by more than a size.

    Linux alone says how large a process is and enforces the limit (`RLIMIT_AS`, setrlimit(2)); elsewhere nothing
    happens.

    Args:
        size_bytes: How much address space may be added.
    """
    if sys.platform != "linux":
        yield
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * resource.getpagesize() + size_bytes
    allowed = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([wanted, *allowed]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
