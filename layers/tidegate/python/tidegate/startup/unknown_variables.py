"""Warnings about `TIDEGATE_*` variables that aren't read: a misspelt protection protects nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tidegate.telemetry import logger

# Variables of the platform around the library: its functions, its templates, its local cloud, its tests.
_PLATFORM = frozenset(
    {
        "TIDEGATE_ALGORITHMS",
        "TIDEGATE_AUDIENCE",
        "TIDEGATE_CORS_ORIGINS",
        "TIDEGATE_ENGINE_PORT",
        "TIDEGATE_HEALTH_DETAILS",
        "TIDEGATE_HEALTH_TOKEN",
        "TIDEGATE_ISSUER",
        "TIDEGATE_MIGRATE_WRITES_PER_S",
        "TIDEGATE_NETWORK",
        "TIDEGATE_ORDER",
        "TIDEGATE_PROJECT",
        "TIDEGATE_REDIS_IMAGE",
        "TIDEGATE_REDIS_PORT",
        "TIDEGATE_STATE_DIR",
    }
)
_TESTS = "TIDEGATE_TEST_"
_PREFIX = "TIDEGATE_"
# Beside the library's own table, any other TIDEGATE_..._TABLE is one of the application's; alone it may be misspelt.
_TABLE = "TIDEGATE_TABLE"
# The least similarity (difflib's ratio, without the prefix) at which a setting is suggested.
_LIKE = 0.6


def warn(names: Iterable[str], settings: Collection[str]) -> None:
    """Log a warning for each variable that isn't read, without its value, which may be a secret."""
    for name in sorted(unknown(names, settings)):
        meant = nearest(name, settings)
        advice = f"did you mean {meant}?" if meant else "see `known`"
        logger().warning(
            "%s is no setting, and is ignored; %s",
            name,
            advice,
            extra={"variable": name, "nearest": meant, "known": sorted(settings)},
        )


def unknown(names: Iterable[str], settings: Collection[str]) -> list[str]:
    """Return the names that neither the library reads, nor the platform, nor a migration of a project's tables."""
    given = [name for name in names if name.startswith(_PREFIX)]
    tables = ("_TABLE",) if _TABLE in given else ()
    return [
        name
        for name in given
        if name not in settings and name not in _PLATFORM and not name.startswith(_TESTS) and not name.endswith(tables)
    ]


def nearest(name: str, settings: Collection[str]) -> str | None:
    """Return the setting that a misspelt name may stand for; None if there is none."""
    from difflib import SequenceMatcher  # noqa: PLC0415  only for misspelt names

    written = name.removeprefix(_PREFIX).upper()

    def likeness(setting: str) -> tuple[bool, float]:
        known = setting.removeprefix(_PREFIX)
        # A setting that differs by whole words at an end is preferred to one with as many letters in common.
        longer, shorter = sorted((f"_{written}_", f"_{known}_"), key=len, reverse=True)
        return shorter in longer, SequenceMatcher(None, written, known).ratio()

    best = max(sorted(settings), key=likeness)
    contained, like = likeness(best)
    return best if contained or like >= _LIKE else None
