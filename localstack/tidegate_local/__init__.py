"""The local cloud: engine, Redis, deploys and scenarios behind the `tidegate` command."""
