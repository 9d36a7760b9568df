"""Real Redis deployments under load: what a cache notices when a server is killed and a slot moves."""
