"""The sessions that measure, as plugin objects.

`session.py` leads from records (`recording.py`) to reports (`outputs.py`); `lockstep.py` and `baseline.py` compare.
"""
