"""What the configured stores promise together, said at start and in health.

| mode | limits | claims | copies |
|---|---|---|---|
| memory | each process its own | in the process; a restart forgets them | in the process |
| redis | of the fleet; shares of it while Redis is away | in Redis: one that Redis loses runs again | of the fleet |
| dynamodb | of the fleet | survive any failure | in the process |
| redis+dynamodb | of the fleet, also while Redis is away | survive the loss of Redis | of the fleet |
"""

from __future__ import annotations

from tidegate.settings import Settings
from tidegate.telemetry import destination, logger

_MEMORY = (
    "memory decides: limits, idempotency keys and copies are this process's alone, and end with it; for more than one "
    "process set TIDEGATE_REDIS_URL"
)
_CLAIMS_IN_REDIS = (
    "idempotency keys are kept in Redis alone: one that Redis loses, by a failover, a restart or an eviction, runs "
    "again, and while Redis is away idempotent requests get 503; set TIDEGATE_TABLE for keys that survive it, or write "
    "claims='redis' in the policy, which says that you know"
)


def say_mode(settings: Settings, by_default: list[str]) -> None:
    """Log the mode; what it can't promise as a warning.

    In a function only memory is said: the Logger is a seventh of what may be added to a cold start.

    Args:
        settings: those in force.
        by_default: the idempotent routes that don't say where their claims are kept.
    """
    if settings.memory_only:
        logger().warning(_MEMORY, extra={"mode": settings.mode})
    elif destination() == "logging":
        logger().info("the stores' mode", extra={"mode": settings.mode})
        if by_default and settings.mode == "redis":
            logger().warning(_CLAIMS_IN_REDIS, extra={"routes": ", ".join(sorted(by_default))})
