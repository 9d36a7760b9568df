"""The `jarvisperf` command."""
