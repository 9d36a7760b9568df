"""Tests `jarvisperf doctor`: it measures what it claims, and says how certain the threshold is."""

from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec
import pytest
from waiting import PROCESS_SECONDS

from jarvisperf.cli.doctor import disturbance, self_comparison
from jarvisperf.cli.doctor.command import advice_for, percent, rows_of, sentence
from jarvisperf.cli.doctor.components import check_redis
from jarvisperf.cli.doctor.disturbance import Disturbance, Watch, word_for
from jarvisperf.cli.doctor.self_comparison import SelfComparison, SelfComparisonError, summarize_self_comparison
from jarvisperf.cli.main import main
from jarvisperf.measure.noise import Noise, noise_of
from jarvisperf.runs.machine import Machine

QUIET = Noise(within=0.01, between=0.005, worst=0.01, in_turns=0.001, lost=0.0, samples=100)
ALONE = Disturbance(running=0, load=0.1, stolen=0.0, frequencies_mhz=None, cpus=8)
FOUND = SelfComparison(2.0, 0.0123, 0.021, 0.0061, 0.0042, trusted=True, seconds=6.4)


def machine(**facts: object) -> Machine:
    plain = Machine("cpu", 8, 1, "Linux", "x86_64", "CPython", {}, None, 0.1, "")
    return msgspec.structs.replace(plain, **facts)


def test_a_quiet_machine_needs_no_advice():
    assert word_for(QUIET, ALONE) == "quiet"
    assert advice_for(machine(), QUIET, ALONE, FOUND) == []


@pytest.mark.parametrize(
    ("noise", "around", "word"),
    [
        ({"between": 0.03}, {}, "fair"),
        ({"between": 0.1}, {}, "noisy"),
        ({"lost": 0.05}, {}, "fair"),
        ({"lost": 0.3}, {}, "noisy"),
        ({}, {"load": 5.0}, "fair"),
        ({}, {"load": 8.0}, "noisy"),
        ({}, {"running": 12.0}, "noisy"),
        ({}, {"load": None, "running": None, "stolen": None}, "quiet"),
        ({}, {"stolen": 0.2}, "noisy"),
    ],
)
def test_a_busy_machine_is_not_called_quiet_whatever_the_samples_say(
    noise: dict[str, float], around: dict[str, float | None], word: str
):
    assert word_for(msgspec.structs.replace(QUIET, **noise), msgspec.structs.replace(ALONE, **around)) == word


def test_what_disturbs_is_named():
    noisy = msgspec.structs.replace(QUIET, between=0.1, lost=0.3)
    busy = msgspec.structs.replace(ALONE, load=7.5)
    weak = msgspec.structs.replace(FOUND, threshold=0.08)
    advice = "\n".join(advice_for(machine(governor="powersave", virtualized="KVM"), noisy, busy, weak))
    for word in (
        "lockstep",
        "the load is 7.5",
        "leave a core free",
        "'powersave'",
        "virtual (KVM)",
        "--jarvis-threshold 8%",
    ):
        assert word in advice


def test_where_turns_are_as_noisy_as_anything_else_lockstep_is_not_praised():
    noisy = msgspec.structs.replace(QUIET, between=0.04, in_turns=1.2)
    assert advice_for(machine(), noisy, ALONE) == [
        "even measurements that take turns differ by more than 100%: run the doctor again once the machine is less busy"
    ]


def test_the_counters_of_the_system_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(disturbance, "LOAD_FILE", tmp_path / "loadavg")
    monkeypatch.setattr(disturbance, "STAT_FILE", tmp_path / "stat")
    (tmp_path / "loadavg").write_text("8.00 4.00 2.00 9/161 3355\n")
    (tmp_path / "stat").write_text("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1\n")
    with Watch() as watch:
        (tmp_path / "stat").write_text("cpu  150 0 125 800 0 0 0 25 0 0\ncpu0 1\n")
    assert watch.found.running == 8
    assert watch.found.stolen == 0.25


def test_where_the_system_tells_nothing_it_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(disturbance, "LOAD_FILE", tmp_path / "none")
    monkeypatch.setattr(disturbance, "STAT_FILE", tmp_path / "none")
    with Watch() as watch:
        pass
    assert watch.found.running is None
    assert watch.found.stolen is None
    assert ("processor time stolen by the hypervisor", "unknown") in rows_of(machine(), QUIET, watch.found)


def test_noise_is_told_apart_by_where_it_comes_from():
    drifting = noise_of([[1.0 + number * 0.1] * 8 for number in range(5)], lost=0.0)
    assert word_for(drifting, ALONE) == "noisy"
    assert drifting.in_turns == drifting.within == 0
    assert noise_of([[1.0, 1.1] * 4] * 5, lost=0.0).between == 0


def test_the_threshold_is_that_of_the_widest_interval_and_its_uncertainty_is_said():
    found = summarize_self_comparison(2.0, [1.001, 0.996], [(0.99, 1.01), (0.98, 1.02)], trusted=True, seconds=6.0)
    assert math.isclose(found.surely, math.sqrt(1.02 / 0.98) - 1)
    assert found.at_best < found.threshold < found.surely
    assert math.isclose(found.difference, 0.004)
    assert sentence(FOUND) == (
        "At a budget of 2 s, this machine supports a threshold of about 1.2% now (0.61% to 2.1%, judging by 6 s of "
        "identical code compared with itself, which differed by 0.42%)."
    )


def test_an_untrusted_comparison_names_no_threshold():
    assert "no threshold can be named" in sentence(msgspec.structs.replace(FOUND, trusted=False))


def test_a_threshold_lies_between_its_bounds():
    found = summarize_self_comparison(2.0, [1.01, 0.99], [(0.98, 1.04), (0.97, 1.01)], trusted=True, seconds=6.0)
    assert 0 < found.at_best <= found.threshold <= found.surely


def test_an_interval_that_says_nothing_supports_nothing():
    found = summarize_self_comparison(2.0, [1.0], [(0.0, math.inf)], trusted=True, seconds=6.0)
    assert percent(found.threshold) == "more than 100%"


def test_identical_code_is_really_compared_with_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(self_comparison, "LONGEST_SECONDS", PROCESS_SECONDS)
    assert main(["doctor", "--seconds", "0.3", "--budget", "0.3", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["noise"]["samples"] >= 12
    assert {check["name"] for check in data["checks"]} == {"Redis", "Chroma and model", "memray"}
    assert data["comparison"].keys() == {field.name for field in msgspec.structs.fields(SelfComparison)}
    assert data["comparison"]["seconds"] > 0
    assert data["sentence"].startswith("At a budget of 0.3 s, ")


def test_what_kept_it_from_comparing_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SelfComparisonError, match=r"^git is not installed$"):
        self_comparison.compare_with_itself(0.1)
    assert main(["doctor", "--seconds", "0.3"]) == 0
    out = capsys.readouterr().out
    assert "No threshold was measured: git is not installed.\n" in out
    assert main(["doctor", "--seconds", "0.3", "--quick"]) == 0
    assert "No threshold was measured: --quick leaves that out.\n" in capsys.readouterr().out


def test_a_redis_that_does_not_answer_is_broken_and_keeps_its_password():
    check = check_redis({"JARVISPERF_REDIS_URL": "redis://user:secret@127.0.0.1:1/0"})
    assert check.state == "broken"
    assert "secret" not in check.note
