"""What every pytest session loads, including the many that measure nothing; so these files import next to nothing."""
