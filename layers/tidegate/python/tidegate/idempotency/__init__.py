"""Idempotency: one effect per key, and every retry gets the first response again."""
