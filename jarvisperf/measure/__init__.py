"""Measuring one target: targets, sampling, memory, startup, and the yardstick."""
