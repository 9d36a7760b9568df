"""The sessions that measure: recording, lockstep, and stored baselines."""
