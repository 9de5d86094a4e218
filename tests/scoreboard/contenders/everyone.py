"""All contenders, in the order of the page; a module each, which imports its library only when it is to be made."""

from __future__ import annotations

from tests.scoreboard.contender import Contender
from tests.scoreboard.contenders import (
    aiocache,
    bare,
    cashews,
    fastapi_cache2,
    fastapi_idempotency,
    fastapi_idempotency_key,
    fastapi_limiter,
    fastapi_redis_sdk,
    limits,
    powertools,
    pyrate_limiter,
    slowapi,
    throttled_py,
    tidegate,
)

_MODULES = (
    tidegate,
    slowapi,
    limits,
    fastapi_limiter,
    pyrate_limiter,
    throttled_py,
    fastapi_redis_sdk,
    cashews,
    aiocache,
    fastapi_cache2,
    powertools,
    fastapi_idempotency,
    fastapi_idempotency_key,
)
CONTENDERS: tuple[Contender, ...] = tuple(row for module in _MODULES for row in module.ROWS)
BARE = bare.BARE


def named(name: str) -> Contender:
    """The contender of a name."""
    return next(row for row in (BARE, *CONTENDERS) if row.name == name)
