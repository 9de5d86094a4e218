"""The cache's parts: what a route asks for, and what is decided without any store."""
