"""How values move between the tiers: reading, writing, computing once, and races."""
