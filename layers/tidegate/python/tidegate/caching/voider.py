"""Invalidation: tags are voided in every cached route's copies, in one round trip, and in this environment's own."""

from __future__ import annotations

from typing import NamedTuple

from tidegate.caching.key import cache_subject, tag_digest
from tidegate.lifecycle import Environment
from tidegate.routing import RouteTable

# What Redis has yet to be told is bounded, too: what is beyond lasts as long as its copies do.
_PENDING = 10_000


class Voider(NamedTuple):
    """Voids what is called by a tag.

    Attributes:
        environment: whose stores are told.
        routes: the application's; every cached one keeps copies and stamps of its own.
    """

    environment: Environment
    routes: RouteTable

    async def void(self, tags: tuple[str, ...] = ()) -> bool:
        """Void these tags; see `Admission.invalidate`."""
        return await self.environment.call(lambda: self.void_blocking(tags))

    def void_blocking(self, tags: tuple[str, ...] = ()) -> bool:
        """Void these tags, and those that Redis couldn't be told before; blocks."""
        place = self.environment.cache()
        digests = [tag_digest(tag) for tag in tags]
        place.local.void(digests)
        place.flights.void(digests)
        if place.shared is None:
            return True
        due = tuple(sorted({*digests, *place.pending}))
        namespace = self.environment.settings.namespace
        subjects = [cache_subject(namespace, route) for route in self.routes.cached]
        done = not due or not subjects or place.shared.void(subjects, due)
        if done:
            place.pending.difference_update(due)
        elif len(place.pending) < _PENDING:
            place.pending.update(due)
        return done
