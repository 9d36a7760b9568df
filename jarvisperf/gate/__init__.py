"""The gate: tells whether a change made code slower.

`lockstep` measures base and head in turns, on `arms` that are run by `processes`; `screening` compares with stored
runs; `verdict` decides; `project` finds the packages that are compared; `affected` finds the benchmarks that a change
can affect.
"""
