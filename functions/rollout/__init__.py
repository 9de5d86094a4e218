"""Releases: the judge of a canary, and the report of what it said."""
