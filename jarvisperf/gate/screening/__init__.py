"""Screening against stored runs: `screen.py` says what passes, and what must be measured again in lockstep."""
