"""An S3 server (moto's) in its own process, filled with made-up runs, that tells how many requests it has answered.

`python -m benchmarks.runs_lab.server 10000 100` makes 10,000 runs of 100 benchmarks and prints its address and the size
of an average run in bytes. A GET of `/-/requests` returns the requests since the last one, by method, as JSON.
"""

from __future__ import annotations

import collections
import datetime
import json
import math
import random
import sys
from typing import TYPE_CHECKING, Any

import msgspec
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from jarvisperf.runs.commit import Commit
from jarvisperf.runs.files import pack
from jarvisperf.runs.machine import read_machine
from jarvisperf.runs.model import Benchmark, Metric, Run
from jarvisperf.runs.names import RunEntry, short_commit
from jarvisperf.runs.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BUCKET, FOLDER, NAME = "company", "shop", "main"
ACCOUNT = "123456789012"
SAMPLES = 40
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DAYS = 365
DEVIATION = 0.05  # of the logarithm of a benchmark's level, from run to run


class Silent(WSGIRequestHandler):
    """Logs nothing."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  # werkzeug's name
        """Print nothing."""


def made_up(benchmarks: int, source: random.Random) -> Run:
    """Make a run up."""
    return Run(
        created=START.isoformat(),
        seconds=float(benchmarks),
        machine=read_machine(),
        commit=None,
        benchmarks=tuple(
            Benchmark(
                id=f"benchmarks/bench_{number % 10}.py::test_work[{number}]",
                group=f"group {number % 5}",
                params={"number": str(number)},
                metrics={"time": Metric("s", "lower", "perf_counter", _summary(source))},
                yardstick={name: 1e-4 * source.uniform(1, 1.1) for name in ("interpreter", "memory", "hashing")},
            )
            for number in range(benchmarks)
        ),
    )


def _summary(source: random.Random) -> Any:
    return summarize([1e-3 * source.lognormvariate(0, 0.05) for _ in range(SAMPLES)], 10)


def _varied(benchmark: Benchmark, source: random.Random) -> Benchmark:
    """Return the benchmark of another run: all figures of its metric, and its yardstick, at another level."""
    level, machine = (math.exp(source.gauss(0, DEVIATION)) for _ in range(2))
    metric = benchmark.metrics["time"]
    figures = {
        name: value * level
        for name, value in msgspec.structs.asdict(metric.summary).items()
        if isinstance(value, float)
    }
    quantiles = tuple(value * level for value in metric.summary.quantiles)
    summary = msgspec.structs.replace(metric.summary, quantiles=quantiles, **figures)
    return msgspec.structs.replace(
        benchmark,
        metrics={"time": msgspec.structs.replace(metric, summary=summary)},
        yardstick={name: seconds * machine for name, seconds in benchmark.yardstick.items()},
    )


def fill(runs: int, benchmarks: int) -> int:
    """Put runs into the bucket, and return their bytes."""
    backend = s3_backends[ACCOUNT]["aws"]
    backend.create_bucket(BUCKET, "us-east-1")
    source = random.Random(1)  # noqa: S311  # made up
    pattern = made_up(benchmarks, source)
    total = 0
    for number in range(runs):
        created = START + datetime.timedelta(days=DAYS * number / runs)
        commit = Commit(id=f"{source.getrandbits(160):040x}", time=created.isoformat(), branch="main", dirty=False)
        run = msgspec.structs.replace(
            pattern,
            created=created.isoformat(),
            commit=commit,
            benchmarks=tuple(_varied(one, source) for one in pattern.benchmarks),
            name=NAME,
        )
        token = f"r{number:010x}"
        entry = RunEntry(NAME, created, run.machine.fingerprint, short_commit(commit.id), dirty=False, token=token)
        content = pack(run)
        total += len(content)
        backend.put_object(BUCKET, f"{FOLDER}/{entry.path}", content)
    return total


def main(runs: int, benchmarks: int) -> None:
    """Fill the bucket and serve it."""
    total = fill(runs, benchmarks)
    counts: collections.Counter[str] = collections.Counter()
    answer = DomainDispatcherApplication(create_backend_app)

    def counted(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/-/requests":
            start("200 OK", [("Content-Type", "application/json")])
            told = json.dumps(counts).encode()
            counts.clear()
            return [told]
        is_list = "list-type" in environ["QUERY_STRING"]
        counts["LIST" if is_list else environ["REQUEST_METHOD"]] += 1
        found: Iterable[bytes] = answer(environ, start)
        return found

    server = make_server("127.0.0.1", 0, counted, threaded=True, request_handler=Silent)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port} {total // runs}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
