"""How Redis is, asked by a client of one's own."""

import time
from dataclasses import dataclass
from typing import Literal

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_PATIENCE_S = 0.3


@dataclass(frozen=True)
class RedisVitals:
    """`state`: it answers (`up`), refuses or resets connections (`down`), or accepts and is silent (`hung`)."""

    state: Literal["up", "down", "hung"]
    latency_ms: float | None = None
    commands_per_s: int | None = None
    keys: int | None = None
    memory_bytes: int | None = None
    uptime_s: int | None = None


def ask(url: str) -> RedisVitals:
    """Ask for INFO on a connection of its own, which a server that was lost and came back can't have spoilt."""
    with redis.Redis.from_url(
        url, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S, retry=Retry(NoBackoff(), 0)
    ) as client:
        try:
            client.ping()
            began = time.perf_counter()
            client.ping()
            latency_ms = (time.perf_counter() - began) * 1000
            said = client.info()
        except redis.TimeoutError:
            return RedisVitals("hung")
        except redis.RedisError:
            return RedisVitals("down")
    told = said if isinstance(said, dict) else {}
    keys = sum(part["keys"] for name, part in told.items() if name.startswith("db") and isinstance(part, dict))
    return RedisVitals(
        "up",
        latency_ms,
        told.get("instantaneous_ops_per_sec"),
        keys,
        told.get("used_memory"),
        told.get("uptime_in_seconds"),
    )
