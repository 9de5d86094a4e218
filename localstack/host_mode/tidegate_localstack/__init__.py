"""Plugins of LocalStack for a host without Docker and Java; found by their entry points."""
