"""A release of the library: its version, its packages, their checks and their tag. Nothing is uploaded."""
