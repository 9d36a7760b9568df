"""Computations under way: joining one, waiting for it, and renewing its lease."""
