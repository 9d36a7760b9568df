"""The markers: those of this plugin, those of pytest-benchmark and pytest-codspeed, and the check of their keywords."""
