"""The Redis of the local cloud: found, built or started."""
