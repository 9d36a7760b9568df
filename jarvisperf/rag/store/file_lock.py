"""A lock on an open file that ends with it, and not when the process closes another descriptor of the same file.

Those of POSIX (``fcntl``'s F_SETLK) end as soon as the process closes *any* descriptor of the file, which a backup of
the folder does. Linux has others, which belong to the open file (``fcntl_locking(2)``, "Open file description locks").
A failed upgrade leaves the old lock in place with both. Where there are no such locks those of POSIX are taken.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
from typing import Final

_TYPES: Final = {fcntl.LOCK_SH: fcntl.F_RDLCK, fcntl.LOCK_EX: fcntl.F_WRLCK}
# struct flock of Linux: type, whence, start, length (0: to the end), process (0 by rule), and what rounds it up.
_FLOCK: Final = "hhqqi0q"


def lock_file(descriptor: int, kind: int, *, wait: bool) -> None:
    """Lock a whole file, or change the lock that there is.

    Args:
        descriptor: The file, open for reading and writing.
        kind: ``fcntl.LOCK_SH`` or ``fcntl.LOCK_EX``.
        wait: Wait for those who have locks that exclude this one.

    Raises:
        BlockingIOError, PermissionError: Somebody has such a lock.
        OSError: The file cannot be locked.
    """
    if sys.platform == "linux":
        command = fcntl.F_OFD_SETLKW if wait else fcntl.F_OFD_SETLK
        try:
            fcntl.fcntl(descriptor, command, struct.pack(_FLOCK, _TYPES[kind], os.SEEK_SET, 0, 0, 0))
        except OSError as error:
            if error.errno != errno.EINVAL:  # of systems that only look like Linux
                raise
        else:
            return
    fcntl.lockf(descriptor, kind if wait else kind | fcntl.LOCK_NB)
