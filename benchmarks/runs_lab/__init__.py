"""How long commands take over thousands of runs in a bucket, and how many requests they make."""
