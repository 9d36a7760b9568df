"""A progress bar for long ingestions, on standard error."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sized
from typing import TypeAlias

Advance: TypeAlias = Callable[[int], None]


@contextlib.contextmanager
def progress(what: str, items: object, show: bool | None) -> Iterator[Advance]:
    """Give a function to call with the number of items that are done.

    Args:
        what: What is done, such as "Adding texts".
        items: What is gone through; a collection that knows its size gives the bar an end.
        show: Whether to show a bar; None: where standard error is a terminal.

    Raises:
        TypeError: ``show`` is something else.
    """
    if show is not None and not isinstance(show, bool):
        raise TypeError(f"show_progress is {show!r}: give True, False, or None for a bar on a terminal only")
    if show is False or (show is None and not sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=len(items) if isinstance(items, Sized) else None)
        yield lambda count: bar.advance(task, count)
