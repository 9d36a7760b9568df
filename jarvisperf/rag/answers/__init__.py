"""Cached answers, and the proof that they are still valid."""
