"""The pytest plugin.

PYTEST_DONT_REWRITE: a worker of lockstep imports it before pytest begins, and pytest would warn of that.
"""
