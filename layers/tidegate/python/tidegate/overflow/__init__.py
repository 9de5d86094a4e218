"""Overflow: a request that a limit refuses waits in a queue, and a worker runs it."""
