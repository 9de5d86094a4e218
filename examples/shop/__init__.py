"""The sample shop's own facts, which pyproject.toml names: its first products, and its demo."""
