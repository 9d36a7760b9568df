"""The processes of the arms: pairs of workers (`workers.py`), the protocol that they speak, and how they end."""
