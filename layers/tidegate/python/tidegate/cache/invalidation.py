"""Invalidation: tags are voided in Redis, for all cached routes in one round trip, and in this environment's copies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tidegate.cache.key import cache_subject, path_digest, tag_digest
from tidegate.environment import Environment
from tidegate.routing import RouteTable

# The bound of the tags that are still to be voided in Redis; the copies of those beyond it live until they expire.
_PENDING = 10_000


class Invalidator(NamedTuple):
    """Voids copies by their tags.

    Attributes:
        environment: holds the stores.
        routes: the application's; each cached one has copies and tags of its own.
        changed: the path that the request itself changes, which is voided with the next tags; None: none.
    """

    environment: Environment
    routes: RouteTable
    changed: str | None = None

    async def void(self, tags: tuple[str, ...] = ()) -> bool:
        """Void these tags; see `Admission.invalidate`."""
        return await self.environment.call(lambda: self.void_blocking(tags))

    def void_blocking(self, tags: tuple[str, ...] = ()) -> bool:
        """Void these tags, and those that couldn't be voided in Redis before; blocks."""
        changed = [] if self.changed is None else [path_digest(self.changed)]
        return self._void([*map(tag_digest, tags), *changed], self.routes.cached)

    async def void_paths(self, paths: Iterable[str], routes: Iterable[str]) -> bool:
        """Void all copies of these paths.

        Args:
            paths: as the routes match them.
            routes: the templates of the cached routes that match them.
        """
        digests, of_routes = list(map(path_digest, paths)), tuple(dict.fromkeys(routes))
        return await self.environment.call(lambda: self._void(digests, of_routes))

    def _void(self, digests: list[str], routes: tuple[str, ...]) -> bool:
        place = self.environment.cache()
        place.local.void(digests)
        place.flights.void(digests)
        if place.shared is None:
            return True
        if place.pending:
            routes = self.routes.cached
        due = tuple(sorted({*digests, *place.pending}))
        namespace = self.environment.settings.namespace
        subjects = [cache_subject(namespace, route) for route in routes]
        done = not due or not subjects or place.shared.void(subjects, due)
        if done:
            place.pending.difference_update(due)
        elif len(place.pending) < _PENDING:
            place.pending.update(due)
        return done
