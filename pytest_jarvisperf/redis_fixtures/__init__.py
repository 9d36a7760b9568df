"""Redis servers for tests, and faults between client and server."""
