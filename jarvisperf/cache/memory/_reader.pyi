from collections.abc import Callable
from typing import Any

VERSION: int

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
