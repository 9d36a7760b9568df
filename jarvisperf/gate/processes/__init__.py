"""The processes of the arms: pairs of workers (`workers.py`), their protocol, and how they end."""
