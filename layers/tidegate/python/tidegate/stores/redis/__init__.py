"""The Redis store: a decision is one script in one round trip."""
