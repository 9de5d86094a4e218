"""The API of MyProject."""
