"""Measures the commands that read many runs, in a bucket of an S3 server on this machine.

`python -m benchmarks.runs_lab [RUNS [BENCHMARKS]]`, by default 10,000 runs of 100 benchmarks, prints the table of
`results.md`. Each command runs in a fresh process, once before and once after `jarvisperf runs compact`. moto is a
server in Python, so its own processor time is stated too; requests do not depend on the server.
"""

from __future__ import annotations

import datetime
import json
import os
import resource
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from benchmarks.runs_lab.server import BUCKET, FOLDER
from jarvisperf.runs.machine import load_average, read_machine

COMMAND = "from jarvisperf.cli.main import main; raise SystemExit(main())"
ONE = "benchmarks/bench_7.py::test_work[7]"
QUERY = "select benchmark, count(*), median(median) from results group by benchmark"
TICKS = os.sysconf("SC_CLK_TCK")
COMMANDS = {
    "list": ("runs", "list", "--names"),
    "compare two runs": ("runs", "diff", "main~1", "main"),
    "history of one benchmark": ("history", ONE),
    "history of all": ("history",),
    "sql over all runs": ("runs", "sql", QUERY),
}


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def requests_of(address: str) -> dict[str, int]:
    """Return the requests since the last call, by method."""
    with urllib.request.urlopen(f"{address}/-/requests") as answer:  # noqa: S310  # our own server
        told: dict[str, int] = json.load(answer)
    return told


def measured(title: str, words: tuple[str, ...], address: str, server: int) -> str:
    """Run a command in a fresh process, and return a row of the table."""
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    requests_of(address)
    before, served = resource.getrusage(resource.RUSAGE_CHILDREN), processor_seconds(server)
    began = time.perf_counter()
    store = ("--store", f"s3://{BUCKET}/{FOLDER}")
    done = subprocess.run(  # noqa: S603  # this interpreter
        [sys.executable, "-c", COMMAND, *words, *store], env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr}")
    own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    served = processor_seconds(server) - served
    counts = ", ".join(f"{count:,} {method}" for method, count in sorted(requests_of(address).items()))
    return f"| {title} | {seconds:.1f} | {own:.1f} | {served:.1f} | {counts} |"


def main(runs: int, benchmarks: int) -> None:
    """Print the results as Markdown."""
    machine = read_machine()
    server = subprocess.Popen(  # noqa: S603  # this interpreter
        [sys.executable, "-m", "benchmarks.runs_lab.server", str(runs), str(benchmarks)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        address, run_bytes = server.stdout.readline().split()
        say(f"{runs:,} runs of {benchmarks} benchmarks in one year, {int(run_bytes):,} bytes per run.")
        today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
        say(f"{today}, {machine.cpu}, {machine.cores} cores, {machine.python}, moto's S3 server.")
        say("", "| command | seconds | of its processor | of the server's | requests |", "|---|---|---|---|---|")
        for title, words in COMMANDS.items():
            if title != "sql over all runs":  # reads every run one by one, as the compaction does
                say(measured(title, words, address, server.pid))
        say(measured("**compact**", ("runs", "compact"), address, server.pid))
        say(measured("compact again", ("runs", "compact"), address, server.pid))
        for title, words in COMMANDS.items():
            say(measured(f"{title}, compacted", words, address, server.pid))
        say("", f"Load average at the end: {load_average()}.")
    finally:
        server.kill()
        server.wait()


def say(*lines: str) -> None:
    """Print lines at once."""
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [10_000, 100][len(given) :]))
