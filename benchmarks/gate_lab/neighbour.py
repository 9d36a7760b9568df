"""A noisy neighbour: one process per core that computes or moves memory without pause."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# It ends when the lab is gone, in whatever way: then its parent is another process.
COMPUTES = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(1_000_000))"
MOVES_MEMORY = (
    "import os\nparent = os.getppid()\ndata = bytes(64 << 20)\nwhile os.getppid() == parent:\n    bytearray(data)"
)


@contextmanager
def noisy_neighbour(*, wanted: bool) -> Iterator[None]:
    """Keep all cores busy until the block ends, unless `wanted` is False."""
    processes = []
    try:
        for core in range((os.cpu_count() or 1) if wanted else 0):
            code = MOVES_MEMORY if core % 2 else COMPUTES
            processes.append(subprocess.Popen([sys.executable, "-c", code]))  # noqa: S603
        yield
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
