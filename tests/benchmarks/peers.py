"""The peers: which are installed, and which version was measured."""

from __future__ import annotations

from importlib import metadata

PEERS = (
    "slowapi",
    "fastapi-limiter",
    "limits",
    "fastapi-redis-sdk",
    "throttled-py",
    "pyrate-limiter",
    "aws-lambda-powertools",
    "cashews",
)


def version(name: str) -> str | None:
    """A distribution's version; None if it isn't installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def missing(*names: str) -> str | None:
    """Why a row that needs these peers is left out; None if it needn't be."""
    absent = [name for name in names if version(name) is None]
    return f"not measured: {' and '.join(absent)} not installed" if absent else None
