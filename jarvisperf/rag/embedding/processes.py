"""Embeds documents in several processes: sentence-transformers' pool, and what happens when one of them ends."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cores import usable_cores
from jarvisperf.error_text import in_one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LOOK_SECONDS: Final = 1.0
# What a pool raises that cannot start or has lost a process; AssertionError: multiprocessing, in a daemonic process.
_POOL_FAILURES: Final = (OSError, RuntimeError, AssertionError)
_THREADS_SETTING: Final = "OMP_NUM_THREADS"
_BEING_STARTED: Final = "bootstrapping phase"  # in multiprocessing's error
_WHY: Final = 'scripts that use several processes need `if __name__ == "__main__":`, and a file'
_log = logging.getLogger(__name__)


class DocumentProcesses:
    """A pool of processes that share one model's weights, started by the first call and kept until it is stopped.

    If it cannot start, or a process ends, it is stopped for good and a warning is logged. The caller then embeds by
    itself. Only in a process that multiprocessing is starting, and in which a script without a main guard runs once
    more, its error is raised, so that the script does not do everything again.

    Args:
        count: The number of processes.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._lock = threading.Lock()
        self._pool: dict[str, Any] | None = None
        self._end: weakref.finalize[Any, DocumentProcesses] | None = None
        self._has_failed = False

    @property
    def is_running(self) -> bool:
        """Whether the processes have been started and not stopped."""
        return self._pool is not None

    def encode(self, model: Any, texts: Sequence[str], batch_size: int) -> Any:
        """Return one row per text, or None if there are fewer than two batches or the processes cannot be used.

        Args:
            model: The SentenceTransformer, on the CPU.
            texts: The texts.
            batch_size: How many texts a process embeds together.
        """
        if len(texts) < 2 * batch_size or self._has_failed:
            return None
        import numpy as np

        # Texts of similar length in each batch: a shorter one is padded to the length of the longest.
        order = sorted(range(len(texts)), key=lambda number: -len(texts[number]))
        with self._lock:
            try:
                if self._pool is None:
                    self._start(model)
                rows = model.encode_document(
                    [texts[number] for number in order],
                    pool=self._pool,
                    chunk_size=batch_size,
                    batch_size=batch_size,
                    show_progress_bar=False,
                )
            except _POOL_FAILURES as error:
                self._stop()
                if _BEING_STARTED in str(error):  # this process is one of them, and runs the script once more
                    raise
                self._has_failed = True
                _log.warning(
                    "the %d embedding processes failed; continuing in this process: %s: %s",
                    self.count,
                    type(error).__name__,
                    in_one_line(error),
                )
                return None
            except BaseException:  # replies of an interrupted call would be mistaken for those of the next one
                self._stop()
                raise
        return np.asarray(rows)[np.argsort(order)]

    def stop(self) -> None:
        """End the processes; the next call starts them again."""
        with self._lock:
            self._stop()
            self._has_failed = False

    def forget(self) -> None:
        """Forget the processes without ending them: in a forked child, they belong to the parent."""
        self._lock = threading.Lock()
        self._pool = None
        if self._end is not None:
            self._end.detach()
            self._end = None

    def _start(self, model: Any) -> None:
        _check_that_processes_can_start()
        with _threads_per_process(self.count):
            pool = model.start_multi_process_pool(["cpu"] * self.count)
        self._end = weakref.finalize(self, type(model).stop_multi_process_pool, pool)
        self._pool = {**pool, "output": _WatchedQueue(pool["output"], pool["processes"])}

    def _stop(self) -> None:
        self._pool = None
        if self._end is not None:
            self._end()
            self._end = None


class _WatchedQueue:
    """The queue of results; waiting for one fails once a process has ended.

    Before version 6.2, sentence-transformers would wait forever.
    """

    def __init__(self, results: Any, processes: Sequence[Any]) -> None:
        self._results = results
        self._processes = processes

    def get(self, timeout: float | None = None) -> Any:
        while True:
            try:
                return self._results.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                ended = [f"{one.pid} (exit status {one.exitcode})" for one in self._processes if not one.is_alive()]
                if ended:
                    raise RuntimeError(f"process {', '.join(ended)} ended; {_WHY}") from None
                if timeout is not None:
                    raise


def _check_that_processes_can_start() -> None:
    """Start a process that ends at once, because each one runs the program's script again and may fail at it.

    A process that fails before it has read the model would leave its parent waiting for it forever.

    Raises:
        RuntimeError: It failed.
    """
    import multiprocessing

    process = multiprocessing.get_context("spawn").Process(target=_do_nothing)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"a process ended with exit status {process.exitcode}; {_WHY}")


def _do_nothing() -> None:
    """Run in a process that only shows that it can be started."""


@contextlib.contextmanager
def _threads_per_process(count: int) -> Iterator[None]:
    """Divide the cores among the processes that start now; PyTorch reads the setting once, when it is imported."""
    if _THREADS_SETTING in os.environ:
        yield
        return
    os.environ[_THREADS_SETTING] = str(max(1, usable_cores() // count))
    try:
        yield
    finally:
        del os.environ[_THREADS_SETTING]
