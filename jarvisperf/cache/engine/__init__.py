"""The engine that moves values between the tiers: reading, writing, computing once, and races."""
