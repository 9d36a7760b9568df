"""Bridges to suites written for pytest-benchmark and pytest-codspeed: `choice.py` picks the one for a session."""
