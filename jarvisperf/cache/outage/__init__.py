"""Tiers over stores that can fail: circuit breaker, latency, and replay after an outage."""
