"""Collects what decides how a comparison ends, by the names that a reader knows."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import jarvisperf
from pytest_jarvisperf.extensions import this_machine
from pytest_jarvisperf.measuring.stash_keys import environment_key

if TYPE_CHECKING:
    import pytest

    from jarvisperf.gate.arms.prepare import Arms
    from jarvisperf.gate.arms.revision import Repository
    from jarvisperf.gate.lockstep.model import Campaign
    from pytest_jarvisperf.options import Options


def conditions_of(
    config: pytest.Config, options: Options, repository: Repository, arms: Arms, campaign: Campaign
) -> dict[str, object]:
    """Return the conditions of a comparison.

    Args:
        config: pytest's config.
        options: This plugin's options.
        repository: The repository and the two commits.
        arms: Both arms, ready to be measured.
        campaign: The comparison.

    Raises:
        GitError: git could not list head's files.
        OSError: A file could not be read.
    """
    from jarvisperf.gate.arms.checkout import HEAD
    from jarvisperf.gate.arms.prepare import DROPPED_PREFIXES, DROPPED_VARIABLES
    from jarvisperf.gate.unfinished import tree_digest
    from jarvisperf.gate.unfinished.conditions import environment_conditions, installed_packages, machine_conditions

    args = campaign.args
    environment = config.stash.get(environment_key, None) or dict(os.environ)
    folders = [*sys.path, *map(str, arms.installed_places())]
    return {
        "the version of jarvisperf": jarvisperf.__version__,
        "base": repository.base,
        "head's files": tree_digest(arms.places[HEAD].roots[0], arms.head_files()),
        "the selected benchmarks": campaign.ids,
        "--jarvis-budget": (campaign.budget_seconds, sorted(campaign.budgets.items())),
        "--jarvis-launches": campaign.most_launches,
        "--jarvis-threshold": sorted((name, sorted(one.items())) for name, one in campaign.thresholds.items()),
        "--jarvis-metrics": options.metrics,
        "--jarvis-arm-install": options.arm_install,
        "jarvis_shared": options.shared,
        "pytest's options": (args["pytest"], args["filters"]),
        "the installed packages": installed_packages(folders),
        **machine_conditions(this_machine(config).fingerprint),
        **environment_conditions(environment, [*DROPPED_VARIABLES, *DROPPED_PREFIXES]),
    }
