"""The gate lab: how often the gate is right, measured on functions that are slower by known factors."""
