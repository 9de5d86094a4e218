"""The driver for Redis: RESP on sockets with an end to every wait. It knows nothing of what it carries."""
