"""The caller of a request: the principal to whom limits, claims and copies belong, and how it is found."""
