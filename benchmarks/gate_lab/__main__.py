"""`python -m benchmarks.gate_lab`."""

from __future__ import annotations

import sys

from benchmarks.gate_lab.cli import main

sys.exit(main())
