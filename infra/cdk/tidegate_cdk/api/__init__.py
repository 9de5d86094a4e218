"""A protected API as one construct: `protected_api.py` composes the parts, of which each has a file of its own."""
