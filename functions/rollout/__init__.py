"""Releases: the controller, the judge of a canary, and the report of its verdicts."""
