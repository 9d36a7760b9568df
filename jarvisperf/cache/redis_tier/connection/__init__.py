"""The way to a Redis server: its URL, connections, commands sent, and replies read before a deadline."""
