"""What jitter does to a stampede: how many results expire in the same second."""
