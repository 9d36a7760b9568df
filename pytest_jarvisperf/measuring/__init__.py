"""Measures a target that a test hands over.

`jarvis_bench.py` is the fixture, `harness.py` calls or measures the target, and `record.py` holds what was measured.
"""
