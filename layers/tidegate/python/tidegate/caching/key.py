"""Under which key an answer is kept: whatever may make it another answer is part of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from tidegate.caching.cache import Cache
from tidegate.identity import digest, header

# Copies of another form have other keys: the two versions of a release never read each other's.
_FORM = "1"
_CREDENTIALS = (b"authorization", b"cookie")
# Traces, ids, the way through proxies: no two requests have them alike, and no answer depends on them.
_OF_ONE_REQUEST = (
    b"traceparent",
    b"tracestate",
    b"x-amz-cf-id",
    b"x-amzn-trace-id",
    b"x-amzn-requestid",
    b"x-correlation-id",
    b"x-forwarded-",
    b"x-request-id",
    b"via",
)


def cache_key(cache: Cache, scope: Mapping[str, Any], route: str, principal: str) -> str:
    """Return the digest of (method, path, chosen query, chosen header fields, and whose answer it is).

    Args:
        cache: what the route asks for.
        scope: the ASGI scope.
        route: the route's template.
        principal: who asks.
    """
    return digest(
        _FORM,
        scope["method"],
        route,
        scope["path"],
        *_query(cache.query, scope),
        *(header(scope, name.encode("latin-1")) or "" for name in cache.vary),
        *_owner(cache, scope, principal),
    )


def coalesce_key(scope: Mapping[str, Any], principal: str) -> str:
    """Return the digest of a request where no cache says what makes a difference: all but what no two share does."""
    fields = sorted((name, value) for name, value in scope["headers"] if not name.startswith(_OF_ONE_REQUEST))
    said = [part.decode("latin-1") for field in fields for part in field]
    return digest(_FORM, "coalesced", principal, scope["method"], scope["path"], *_query(None, scope), *said)


@lru_cache(maxsize=1024)
def cache_subject(namespace: str, route: str) -> str:
    """Return whose state a route's copies and tags are: they lie together, so that a tag voids them as one."""
    return digest(namespace, "cache", route, size=9)


@lru_cache(maxsize=4096)
def tag_digest(tag: str) -> str:
    """Return a tag's short, safe name."""
    return digest("tag", tag, size=9)


def is_private(cache: Cache, scope: Mapping[str, Any]) -> bool:
    """Whether the answer is the caller's alone: the route says so, or the request has credentials of its own."""
    return not cache.shared or any(name in _CREDENTIALS for name, _ in scope["headers"])


def _query(wanted: tuple[str, ...] | None, scope: Mapping[str, Any]) -> list[str]:
    pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    chosen = (pair for pair in pairs if wanted is None or pair[0] in wanted)
    # By name alone: of one that is given twice, the order may matter.
    return [part for pair in sorted(chosen, key=lambda pair: pair[0]) for part in pair]


def _owner(cache: Cache, scope: Mapping[str, Any], principal: str) -> list[str]:
    if not is_private(cache, scope):
        return ["shared"]
    said = [value.decode("latin-1") for name, value in scope["headers"] if name in _CREDENTIALS]
    return ["private", principal, *said]
