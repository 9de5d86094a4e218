"""All columns, in the order of the page."""

from __future__ import annotations

from tests.scoreboard.cell import Situation
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
)
SITUATIONS: tuple[Situation, ...] = tuple(one for module in _MODULES for one in module.SITUATIONS)
