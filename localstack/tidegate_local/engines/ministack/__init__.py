"""MiniStack's process, and the amendments that it runs with."""
