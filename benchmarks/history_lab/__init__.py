"""How often the history sees a change where there is none, and where there is one."""
