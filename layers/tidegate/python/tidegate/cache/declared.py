"""The header fields that a cached route's handler and dependencies declare to read: its response depends on them.

A field that may tell who asks is a credential (see `identity.credentials`), and gives a request a copy of its own. The
others, such as `Accept-Language`, are part of the key, as if the route's `Cache(vary=…)` named them.
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
    """Return a route's cache policy, which also varies by the fields that the route declares."""
    cache = route.policy.cache
    if cache is None:
        return None
    declared = {name for name in route.reads.fields if is_silent(name)} - set(cache.vary)
    counting = [name for name in declared if keyed_alone(encoded := name.encode("latin-1")) and not in_target(encoded)]
    return replace(cache, vary=(*cache.vary, *counting)) if counting else cache
