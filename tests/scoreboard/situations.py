"""All columns, by the tables of the page."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from tests.scoreboard.cache import credentials as cache_credentials
from tests.scoreboard.cache import expiry, failing_origin, redis_away, stampede
from tests.scoreboard.cell import Situation
from tests.scoreboard.cost import beside_bare, round_trips
from tests.scoreboard.idempotency import acknowledgements, credentials, holders, payloads, plain_retry, record_lost
from tests.scoreboard.limits import (
    any_window,
    clock_put_back,
    cost_above_limit,
    fields,
    name_hangs,
    redis_failover,
    redis_on_the_way,
    redis_readonly,
    redis_restarted,
    several_processes,
    small_bursts,
)
from tests.scoreboard.place import Family


@dataclass(frozen=True)
class Table:
    """A table of the page: its rows are the contenders that offer the family.

    Attributes:
        title: its heading.
        family: the mechanism.
        situations: its columns.
    """

    title: str
    family: Family
    situations: tuple[Situation, ...]


def _table(title: str, family: Family, *modules: ModuleType) -> Table:
    return Table(title, family, tuple(one for module in modules for one in module.SITUATIONS))


_COSTS = (round_trips, beside_bare)
TABLES = (
    _table(
        "Limits while Redis fails",
        "limits",
        redis_on_the_way,
        redis_restarted,
        redis_readonly,
        name_hangs,
        redis_failover,
        several_processes,
    ),
    _table(
        "Limits while all is well",
        "limits",
        any_window,
        small_bursts,
        cost_above_limit,
        clock_put_back,
        fields,
    ),
    _table("Idempotency", "idempotency", plain_retry, credentials, payloads, record_lost, acknowledgements, holders),
    _table("Caches", "cache", cache_credentials, stampede, expiry, failing_origin, redis_away),
    _table("What a limited request costs", "limits", *_COSTS),
    _table("What an idempotent request costs", "idempotency", *_COSTS),
    _table("What a copy costs", "cache", *_COSTS),
)
