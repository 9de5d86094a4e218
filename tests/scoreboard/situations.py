"""All columns, in the order of the page."""

from __future__ import annotations

from tests.scoreboard.cache import credentials as cache_credentials
from tests.scoreboard.cache import expiry, failing_origin, redis_away, stampede
from tests.scoreboard.cell import Situation
from tests.scoreboard.cost import beside_bare, round_trips
from tests.scoreboard.idempotency import acknowledgements, credentials, holders, payloads, record_lost
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

_MODULES = (
    redis_on_the_way,
    redis_restarted,
    redis_readonly,
    name_hangs,
    redis_failover,
    several_processes,
    any_window,
    small_bursts,
    cost_above_limit,
    clock_put_back,
    fields,
    credentials,
    payloads,
    record_lost,
    acknowledgements,
    holders,
    cache_credentials,
    stampede,
    expiry,
    failing_origin,
    redis_away,
    round_trips,
    beside_bare,
)
SITUATIONS: tuple[Situation, ...] = tuple(one for module in _MODULES for one in module.SITUATIONS)
