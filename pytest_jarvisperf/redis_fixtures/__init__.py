"""Redis servers for tests (`server.py`), and faults between client and server (`faults.py`)."""
