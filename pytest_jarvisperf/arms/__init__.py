"""What runs inside an arm, the process that measures one side of a comparison, and what the main process tells it.

`worker.py` is the arm's entry point, `arguments.py` and `paths.py` say what its pytest is told, and `profiles.py`
profiles regressions in both arms.
"""
