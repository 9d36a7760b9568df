"""The command `jarvisperf doctor`: measures this machine, says which threshold it supports, and gives advice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.cli.common import OK, add_command, positive
from jarvisperf.cli.doctor.components import check_memray, check_rag, check_redis
from jarvisperf.cli.doctor.disturbance import Watch, word_for
from jarvisperf.cli.doctor.self_comparison import SelfComparisonError, compare_with_itself
from jarvisperf.cli.printing import out, out_json

if TYPE_CHECKING:
    import argparse

    from jarvisperf.cli.common import Subparsers
    from jarvisperf.cli.doctor.components import Check
    from jarvisperf.cli.doctor.disturbance import Disturbance
    from jarvisperf.cli.doctor.self_comparison import SelfComparison
    from jarvisperf.measure.noise import Noise
    from jarvisperf.runs.machine import Machine

BUSY_LOAD_SHARE = 0.5
LONGEST_SECONDS = 600
USUAL_THRESHOLD = 0.05
WORTH_TURNS = 2.0  # times less noise in turns than one after the other


def add_commands(commands: Subparsers) -> None:
    """Add the sub-command to the parser."""
    doctor = add_command(
        commands,
        "doctor",
        _doctor,
        "measure how noisy this machine is, say which threshold it supports, and check the optional components",
        "jarvisperf doctor                # takes about 10 seconds",
        "jarvisperf doctor --budget 8     # for pytest --jarvis-budget 8",
        "jarvisperf doctor --quick --json",
    )
    doctor.add_argument(
        "--budget",
        type=_seconds,
        default=2.0,
        metavar="SECONDS",
        help="the measuring time per benchmark that the threshold is for (default: 2)",
    )
    doctor.add_argument(
        "--seconds", type=_seconds, default=2.0, help="how long to measure the noise, at most 600 (default: 2)"
    )
    doctor.add_argument("--quick", action="store_true", help="do not measure which threshold the machine supports")
    doctor.add_argument("--rag", action="store_true", help="also load Chroma and the model, which takes seconds")
    doctor.add_argument("--json", action="store_true", help="print JSON")


def _seconds(text: str) -> float:
    return positive(text, f"a number of seconds above 0 and up to {LONGEST_SECONDS}", LONGEST_SECONDS)


def _doctor(words: argparse.Namespace) -> int:
    from jarvisperf.measure.noise import measure_noise
    from jarvisperf.runs.machine import read_machine

    machine = read_machine()
    with Watch() as watch:
        noise = measure_noise(max(words.seconds, 0.1))
    comparison: SelfComparison | None = None
    if words.quick:
        problem = "--quick leaves that out"
    else:
        try:
            comparison = compare_with_itself(words.budget)
            problem = ""
        except SelfComparisonError as error:
            problem = str(error)
    supports = sentence(comparison) if comparison else f"No threshold was measured: {problem}."
    word = word_for(noise, watch.found)
    checks = [check_redis(os.environ), check_rag(load=words.rag), check_memray()]
    advice = advice_for(machine, noise, watch.found, comparison)
    if words.json:
        data = {
            "machine": machine,
            "noise": noise,
            "disturbance": watch.found,
            "word": word,
            "comparison": comparison,
            "sentence": supports,
            "advice": advice,
            "checks": checks,
        }
        out_json(msgspec.json.format(msgspec.json.encode(data), indent=1))
        return OK
    out(f"{machine.cpu}, {machine.cores} cores, {machine.python}, {machine.system}")
    out(supports)
    out(f"The machine is {word} at the moment:")
    out(*(f"  {name:48} {value}" for name, value in rows_of(machine, noise, watch.found)))
    out("What you can do:" if advice else "Nothing to improve.")
    for line in advice:
        out(f"  - {line}")
    _print_checks(checks)
    return OK


def _print_checks(checks: list[Check]) -> None:
    out("Components:")
    for check in checks:
        out(f"  {check.name:16} {check.state:7} {check.note}")


def sentence(found: SelfComparison) -> str:
    """Say in one sentence which threshold the machine supports, and how certain that is."""
    if not found.trusted:
        return (
            f"At a budget of {found.budget_seconds:g} s, no threshold can be named: identical code differed by "
            f"{percent(found.difference)} in a way that the run's own control calls untrustworthy."
        )
    return (
        f"At a budget of {found.budget_seconds:g} s, this machine supports a threshold of about "
        f"{percent(found.threshold)} now ({percent(found.at_best)} to {percent(found.surely)}, judging by "
        f"{found.seconds:.0f} s of identical code compared with itself, which differed by {percent(found.difference)})."
    )


def percent(share: float) -> str:
    """Write a share in per cent, with two digits below 10%."""
    if share > 1:
        return "more than 100%"
    value = share * 100
    return f"{value:.0f}%" if value >= 10 else f"{value:.2g}%"


def rows_of(machine: Machine, noise: Noise, disturbance: Disturbance) -> list[tuple[str, str]]:
    """Return the measured facts, each as a name and a value."""
    unknown = "unknown"
    running, load, stolen = disturbance.running, disturbance.load, disturbance.stolen
    busy = unknown if running is None else f"{running:g} on {disturbance.cpus} processors"
    lowest_highest = disturbance.frequencies_mhz
    scaling = machine.governor or unknown
    if lowest_highest is not None:
        scaling += f", {lowest_highest[0]:.0f} to {lowest_highest[1]:.0f} MHz"
    return [
        ("other processes that want to run", busy),
        ("load average of the last minute", unknown if load is None else f"{load:g}"),
        ("processor time taken by other processes", percent(noise.lost)),
        ("processor time stolen by the hypervisor", unknown if stolen is None else percent(stolen)),
        ("frequency scaling", scaling),
        ("samples of the same work differ by", f"{percent(noise.within)} (middle half)"),
        (
            "two measurements a moment apart differ by",
            f"{percent(noise.between)}, at worst {percent(noise.worst)}",
        ),
        ("two that take turns, as in lockstep, differ by", percent(noise.in_turns)),
    ]


def advice_for(
    machine: Machine, noise: Noise, disturbance: Disturbance, comparison: SelfComparison | None = None
) -> list[str]:
    """Return advice for the user, the most useful first.

    Args:
        machine: The machine's facts.
        noise: The measured noise.
        disturbance: What disturbed the measurement.
        comparison: The comparison of identical code with itself; None if there was none.
    """
    advice = []
    if comparison is not None and comparison.threshold > USUAL_THRESHOLD:
        supported = percent(comparison.threshold)
        advice.append(
            f"the usual threshold of {percent(USUAL_THRESHOLD)} leaves benchmarks inconclusive here: "
            f"set --jarvis-budget above {comparison.budget_seconds:g} s, or --jarvis-threshold {supported}"
        )
    less_noisy = noise.between / max(noise.in_turns, 1e-4)
    if noise.between >= 0.02 and less_noisy >= WORTH_TURNS:
        advice.append(
            "compare with a revision in lockstep (--jarvis-against), not with stored runs: "
            f"here that is {less_noisy:.0f} times less noisy"
        )
    elif noise.in_turns >= 0.02:
        advice.append(
            f"even measurements that take turns differ by {percent(noise.in_turns)}: run the doctor again once the "
            "machine is less busy"
        )
    busiest = max((value for value in (disturbance.running, disturbance.load) if value is not None), default=0.0)
    if busiest > BUSY_LOAD_SHARE * disturbance.cpus:
        advice.append(f"the load is {busiest:g} on {disturbance.cpus} processors: stop other programs")
    if max(noise.lost, disturbance.stolen or 0.0) > 0.02:
        advice.append(
            "other processes take processor time from this one: leave a core free, or use a dedicated machine"
        )
    if machine.governor not in {None, "performance"}:
        advice.append(f"the frequency governor is {machine.governor!r}: cpupower frequency-set --governor performance")
    if disturbance.cpus < 2:
        advice.append("there is only one core, which pytest, the system and the benchmark share")
    if machine.virtualized:
        advice.append(f"it is virtual ({machine.virtualized}): neighbours come and go, so trust intervals, not medians")
    return advice
