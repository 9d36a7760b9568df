"""How often the history reports a change, with and without one."""
