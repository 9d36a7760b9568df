"""Suspends pytest's capture of logs and warnings while samples are taken.

A captured record is formatted, written to a buffer and kept until the end of the test. Each call would be slower than
in production, and memory would grow. The first call of a target is captured as usual.
"""

from __future__ import annotations

import logging
import warnings
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTESTS_MODULE = "_pytest.logging"
KEPT_RECORDS = 1_000


@contextmanager
def capture_aside(*, replay: bool = False) -> Iterator[None]:
    """Replace pytest's log handlers and its list of warnings with cheap stand-ins.

    The project's own handlers and levels stay, because they are part of the work.

    Args:
        replay: Pass the last 1,000 records to pytest's handlers afterwards, as if they had been in place.
    """
    places = [
        (logger, index, handler)
        for logger in _loggers()
        for index, handler in enumerate(logger.handlers)
        if type(handler).__module__ == PYTESTS_MODULE
    ]
    stand_ins = [_StandIn(handler, keeps=replay) for _, _, handler in places]
    for (logger, index, _), stand_in in zip(places, stand_ins, strict=True):
        logger.handlers[index] = stand_in
    shown: Any = getattr(warnings, "_showwarnmsg_impl", None)
    is_captured = isinstance(getattr(shown, "__self__", None), list)
    if is_captured:
        warnings._showwarnmsg_impl = _ignore  # type: ignore[attr-defined]  # noqa: SLF001
    try:
        yield
    finally:
        if is_captured:
            warnings._showwarnmsg_impl = shown  # type: ignore[attr-defined]  # noqa: SLF001
        for (logger, _, handler), stand_in in zip(places, stand_ins, strict=True):
            if stand_in in logger.handlers:  # unless the target has changed the handlers
                logger.handlers[logger.handlers.index(stand_in)] = handler
            for record in stand_in.records:
                handler.handle(record)


def _loggers() -> list[logging.Logger]:
    """Return all loggers including the root: tests add `caplog.handler` to loggers that do not propagate."""
    named = list(logging.root.manager.loggerDict.values())
    return [logging.root, *(logger for logger in named if isinstance(logger, logging.Logger))]


class _StandIn(logging.Handler):
    """Accepts records in place of another handler, without formatting them."""

    def __init__(self, handler: logging.Handler, *, keeps: bool) -> None:
        super().__init__(handler.level)
        self.filters = handler.filters
        self.records: deque[logging.LogRecord] = deque(maxlen=KEPT_RECORDS if keeps else 0)

    def handle(self, record: logging.LogRecord) -> bool:  # type: ignore[override,unused-ignore]
        """Accept a record."""
        if not self.filters or self.filter(record):
            self.records.append(record)
        return True


def _ignore(message: object) -> None:
    """Discard a warning."""
