"""What happens when a test hands over its target.

`jarvis_bench.py` is the fixture, `harness.py` calls or measures the target, and `record.py` holds what was measured.
"""
