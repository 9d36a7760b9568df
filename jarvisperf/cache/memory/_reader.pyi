from collections.abc import Callable
from typing import Any

VERSION: int

def is_flat(value: object, /) -> bool: ...
def open_plain(
    blobs: dict[str, Any],
    names: list[bytes],
    now: float,
    generation: int,
    unpack: Callable[[bytes], Any],
    found: dict[str, Any],
    unreadable: tuple[type[BaseException], ...],
    /,
) -> tuple[dict[str, Any], int]: ...
def make_reader(
    entries: dict[str, Any],
    clock: Callable[[], float],
    otherwise: Callable[[str, Any], Any],
    forget: Callable[[str, Any], object],
    entry_type: type,
    unreadable: tuple[type[BaseException], ...],
    is_monotonic: bool,
    /,
) -> Callable[..., Any]: ...
