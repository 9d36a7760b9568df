"""Makes unseeded random numbers equal in both arms."""
