"""Runs the soak test briefly, so that it keeps working; ``tox run -e soak`` runs it in full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_a_short_soak_gives_no_wrong_value_and_memory_stays_flat():
    seconds = os.environ.get("JARVISPERF_SOAK_SECONDS", "6")
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("soak.py"), "--seconds", seconds],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
