"""The fields and query parameters that a cached route's handler and dependencies declare: its response depends on them.

A field that may tell who asks is a credential (see `identity.credentials`), and gives a request a copy of its own. The
others, such as `Accept-Language`, are part of the key, as if the route's `Cache(vary=…)` named them, and so are query
parameters that its `Cache(query=…)` leaves out.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from tidegate.cache.key import keyed_alone
from tidegate.cache.policy import Cache
from tidegate.cache.target import in_target
from tidegate.identity.credentials import is_silent
from tidegate.routing import RoutePolicy


@lru_cache(maxsize=1024)
def declared_cache(route: RoutePolicy) -> Cache | None:
    """Return a route's cache policy, which also varies by the fields and query parameters that the route declares."""
    cache = route.policy.cache
    if cache is None:
        return None
    declared = {name for name in route.reads.fields if is_silent(name)} - set(cache.vary)
    counting = [name for name in declared if keyed_alone(encoded := name.encode("latin-1")) and not in_target(encoded)]
    query = cache.query
    if query is not None:
        query = (*query, *sorted({name for place, name in route.reads.parameters if place == "query"} - set(query)))
    return replace(cache, vary=(*cache.vary, *counting), query=query) if counting or query != cache.query else cache
