"""The cache key of a request: a digest of everything on which its response may depend."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from tidegate.cache.conditional import CONDITIONS
from tidegate.cache.policy import Cache
from tidegate.cache.target import target
from tidegate.digests import digest

# The version of the key's form, so that a release which changes it never reads the other version's copies.
_FORM = "2"
# Traces, ids, the path through proxies: they differ in each request, and no response depends on them.
_OF_ONE_REQUEST = frozenset(
    {
        b"traceparent",
        b"tracestate",
        b"x-amz-cf-id",
        b"x-amzn-trace-id",
        b"x-amzn-requestid",
        b"x-correlation-id",
        b"x-forwarded-for",
        b"x-request-id",
        b"via",
    }
)


class Owner(NamedTuple):
    """The owner of a response.

    Attributes:
        principal: the caller's.
        credentials: a digest of the request's credentials that the principal doesn't express (see
            `identity.credentials`); empty if there are none.
    """

    principal: str
    credentials: str = ""


def cache_key(cache: Cache, scope: Mapping[str, Any], route: str, owner: Owner) -> str:
    """Return the digest of the method, the target with its chosen query, the chosen header fields, and the owner.

    Args:
        cache: the route's policy.
        scope: the ASGI scope.
        route: the route's template.
        owner: the response's, if the route isn't shared.
    """
    varying = [_combined(scope, name.encode("latin-1")) for name in cache.vary]
    # `repr` of a list delimits its parts, so that no two lists have the same text.
    return digest(_FORM, scope["method"], route, repr([*target(scope, cache.query), *varying]), *_owner(cache, owner))


def coalesce_key(scope: Mapping[str, Any], owner: Owner) -> str:
    """Return the key of a request on a route without a cache policy: all of it that `keyed_alone` doesn't leave out."""
    fields = sorted((name, value) for name, value in scope["headers"] if keyed_alone(name))
    parts = [part.decode("latin-1") for field in fields for part in field]
    return digest(_FORM, "coalesced", *owner, scope["method"], *target(scope, None), *parts)


def keyed_alone(name: bytes) -> bool:
    """Whether a field is part of `coalesce_key`; conditions aren't, as they are evaluated for each request alone."""
    return name not in _OF_ONE_REQUEST and name not in CONDITIONS


@lru_cache(maxsize=1024)
def cache_subject(namespace: str, route: str) -> str:
    """Return the subject of a route's copies and tags: they lie together, so that a tag is voided atomically."""
    return digest(namespace, "cache", route, size=9)


def path_digest(path: str) -> str:
    """Return the name of the tag that all copies of a path have; a change of the path voids it."""
    return digest("path", path, size=9)


@lru_cache(maxsize=4096)
def tag_digest(tag: str) -> str:
    """Return a tag's digest, which is short and safe as part of a Redis key."""
    return digest("tag", tag, size=9)


def is_private(cache: Cache, owner: Owner) -> bool:
    """Whether the response is for the caller alone: the route isn't shared, or the request has credentials."""
    return not cache.shared or bool(owner.credentials)


def _combined(scope: Mapping[str, Any], name: bytes) -> str:
    """A field with all its lines (RFC 9110, 5.3); an empty field differs from a missing one."""
    lines = [value.decode("latin-1") for field, value in scope["headers"] if field == name]
    return f"={', '.join(lines)}" if lines else ""


def _owner(cache: Cache, owner: Owner) -> list[str]:
    return ["private", *owner] if is_private(cache, owner) else ["shared"]
