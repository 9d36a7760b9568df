"""The pytest plugin.

PYTEST_DONT_REWRITE: lockstep workers import it before pytest starts, which pytest would warn about.
"""
