"""Suites written for pytest-benchmark and pytest-codspeed."""
