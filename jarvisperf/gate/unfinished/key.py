"""The secret with which a user's unfinished comparisons are signed.

It lies next to the arms, in a folder that only this user can read and that no repository contains. So a file that was
committed, copied from another machine or edited is recognized. Code that runs as the same user can read it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KEY_NAME = ".key"
KEY_BYTES = 32


def own_key(folder: Path) -> bytes:
    """Return the key in a folder; it is created if there is none.

    Args:
        folder: A folder that belongs to this user.

    Raises:
        OSError: It cannot be read or written, or it is not a key.
    """
    place = folder / KEY_NAME
    if not place.exists():
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f"{KEY_NAME}.")
        try:
            os.write(handle, secrets.token_bytes(KEY_BYTES))
            with contextlib.suppress(FileExistsError):  # another process was faster
                os.link(temporary, place)
        finally:
            os.close(handle)
            os.unlink(temporary)  # noqa: PTH108
    key = place.read_bytes()
    if len(key) != KEY_BYTES:
        raise OSError(f"{place} is not a key of jarvisperf: remove it")
    return key
