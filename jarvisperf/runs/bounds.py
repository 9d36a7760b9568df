"""Limits of a stored run, so that its size depends only on the number of benchmarks and metrics.

Of a metric's samples, 33 quantiles are kept (steps of 3 %) with 4 significant digits; figures keep 7 digits, an error
below 0.0001 %. One hundred benchmarks with one metric each take less than 20 kB, compressed.

Text that exceeds its limit is cut and followed by a hash of the whole, so different texts stay different.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.runs.summary import Summary, quantile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jarvisperf.runs.model import Benchmark, Run

STORED_QUANTILES = 33
FIGURE_DIGITS = 7
QUANTILE_DIGITS = 4
YARDSTICK_DIGITS = 6
LONGEST_ID = 500
LONGEST_TEXT = 200
MOST_TEXTS = 50

_HASH_CHARACTERS = 16


def bounded_run(run: Run) -> Run:
    """Return the run in its stored form."""
    return msgspec.structs.replace(
        run,
        benchmarks=tuple(map(_bounded_benchmark, run.benchmarks)),
        yardstick={name: bounded_summary(summary) for name, summary in run.yardstick.items()},
    )


def bounded_id(text: str) -> str:
    """Return a benchmark's id in its stored form."""
    return shortened(text, LONGEST_ID)


def bounded_summary(summary: Summary) -> Summary:
    """Return a summary with at most 33 quantiles and rounded figures."""
    kept = summary.quantiles
    if len(kept) > STORED_QUANTILES:
        kept = tuple(quantile(kept, step / (STORED_QUANTILES - 1)) for step in range(STORED_QUANTILES))
    figures = {
        name: rounded(value, FIGURE_DIGITS)
        for name, value in msgspec.structs.asdict(summary).items()
        if isinstance(value, float)
    }
    return msgspec.structs.replace(
        summary, quantiles=tuple(rounded(value, QUANTILE_DIGITS) for value in kept), **figures
    )


def shortened(text: str, most: int) -> str:
    """Cut a text that is too long and append a hash of the whole; shorter text is returned unchanged.

    Args:
        text: Any text.
        most: Maximum number of characters of the result.
    """
    if len(text) <= most:
        return text
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=_HASH_CHARACTERS // 2).hexdigest()
    return f"{text[: most - _HASH_CHARACTERS - 1]}…{digest}"


def rounded(value: float, digits: int) -> float:
    """Round to a number of significant digits."""
    return float(f"{value:.{digits}g}")


def _bounded_benchmark(benchmark: Benchmark) -> Benchmark:
    return msgspec.structs.replace(
        benchmark,
        id=bounded_id(benchmark.id),
        group=benchmark.group if benchmark.group is None else shortened(benchmark.group, LONGEST_TEXT),
        params=_bounded_texts(benchmark.params),
        metrics={
            name: msgspec.structs.replace(metric, summary=bounded_summary(metric.summary))
            for name, metric in benchmark.metrics.items()
        },
        before=benchmark.before if benchmark.before is None else bounded_id(benchmark.before),
        extra_info=_bounded_texts(benchmark.extra_info),
        error=benchmark.error if benchmark.error is None else shortened(benchmark.error, LONGEST_TEXT),
        yardstick={name: rounded(seconds, YARDSTICK_DIGITS) for name, seconds in benchmark.yardstick.items()},
        seconds=None if benchmark.seconds is None else rounded(benchmark.seconds, QUANTILE_DIGITS),
    )


def _bounded_texts(texts: Mapping[str, str]) -> dict[str, str]:
    return {
        shortened(name, LONGEST_TEXT): shortened(text, LONGEST_TEXT) for name, text in list(texts.items())[:MOST_TEXTS]
    }
