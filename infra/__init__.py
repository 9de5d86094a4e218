"""The infrastructure as code: one file per construct, and `stack.py`, which composes them and grants."""
