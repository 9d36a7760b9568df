"""The processes of the arms: workers, their protocol, and their end."""
