"""Code that runs inside an arm (the process that measures one side of a comparison) and prepares its arguments.

`worker.py` is the arm's entry point, `arguments.py` and `paths.py` build its pytest arguments, and
`profiles.py` profiles regressions in both arms.
"""
