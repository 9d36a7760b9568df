"""What Redis and the disk hold for a key: an envelope or a mark, its version, and the compressed value."""
