"""Screening against stored runs: `screen.py` decides what passes and what must be measured again in lockstep."""
