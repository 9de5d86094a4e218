"""The credentials of a request that its principal doesn't stand for.

Many people may share an address, or the API key of one plan. Behind either, an application may tell its callers apart
by a token, a session or a proxy's field. A response belongs to those callers, too. So a digest of their credentials is
part of a claim's fingerprint, of a copy's key and of a queued request's owner. Another credential under the same
idempotency key is then another payload, and never a second run.

A field counts if the route's security schemes or parameters read it, if `protect(credentials=…)` names it, or if its
name suggests an identity. A cookie also counts if it is long enough to be a secret. Fields that differ between two
attempts of one caller (traces, request ids) never count. What a gateway's authorizer says of who asks always counts,
since its principal may be everybody's.

Source: draft-ietf-httpapi-idempotency-key-header, Security Considerations: keys are to be composite.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl

from tidegate.identity.caller import Caller
from tidegate.identity.dependants import Reads
from tidegate.identity.for_whom import told_by_client, told_by_gateway
from tidegate.identity.found_before import found_before

# Words in a field's or a query parameter's name that suggest a credential or an identity.
_TELLING = (
    "auth|token|secret|session|credential|passw|passphrase|signature|jwt|bearer|cert|assertion|principal|identity|"
    "user|tenant|account|customer|subject|login|email|member|api-?_?key|access-?_?key|client-?_?id|device-?_?id|"
    "company|workspace|merchant|partner|employee|impersonat"
)
_TELLING_SEGMENTS = (
    "key|sid|uid|sso|ticket|remember|org|organi[sz]ation|sub|upn|dn|sig|groups|roles?|team|behalf|act[-_]as|shop|store|"
    "project|realm"
)
# Standard fields that describe the message or its route, and fields that differ with every attempt.
_SILENT = re.compile(
    r"accept(?:-charset|-encoding|-language)?|baggage|cache-control|connection|content-.*|date|expect|forwarded|from|"
    r"host|idempotency-key|if-.*|origin|pragma|prefer|priority|range|referer|sec-websocket-key|te|traceparent|"
    r"tracestate|transfer-encoding|upgrade|user-agent|via|x-amz-(?:content-sha256|date|security-token|source-a.*)|"
    r"x-amzn-oidc-(?:accesstoken|data)|"
    r"x-forwarded-(?:for|host|port|prefix|proto|server)|x-real-ip"
)
_SILENT_PARTS = (
    "csrf",
    "xsrf",
    "request-id",
    "correlation-id",
    "trace-id",
    "amz-cf-",
    "tidegate-",
    "sec-ch-",
    "sec-fetch-",
)
# Cookies of load balancers, of analytics and against cross-site request forgery: they change, and name no caller.
_SILENT_COOKIES = (
    r"aws(?:alb(?:tg)?|elb)(?:cors)?|__cf_bm|_cfuvid|_ga(?:_[a-z0-9]{8,12})?|_gid|_gat(?:_.*)?|_gcl_[a-z]+|_fb[cp]|"
    r"_hj[a-z]+(?:_\d+)?|__utm[a-z]+|_pk_(?:id|ses)\..*|_?csrf(?:_?token)?|_xsrf|xsrf-token"
)


# How `Authorization` begins that AWS' clients have signed.
_SIGNATURE = "AWS4-"
# The shortest value that can be a session's cookie: 64 bits in base64 are 11 characters.
_SECRET_FROM = 11


@lru_cache(maxsize=2048)
def tells_who(name: str) -> bool:
    """Return whether the name of a field or query parameter, in lower case, suggests an identity."""
    if is_silent(name):
        return False
    return bool(re.search(_TELLING, name) or re.search(rf"(?:^|[-_.])(?:{_TELLING_SEGMENTS})(?:$|[-_.])", name))


@lru_cache(maxsize=2048)
def is_silent(name: str) -> bool:
    """Return whether a field never identifies a caller, even if a parameter reads it."""
    return _SILENT.fullmatch(name) is not None or any(part in name for part in _SILENT_PARTS)


def credentials_digest(scope: Mapping[str, Any], caller: Caller, reads: Reads, secret: bytes) -> str:
    """Return a keyed digest of what tells callers of this principal apart; empty if nothing does.

    That is what an authorizer says of who asks, and the credentials that the principal doesn't stand for.

    Args:
        scope: the ASGI scope.
        caller: the caller.
        reads: what the route reads of a request.
        secret: the digest's key, the same in all environments.
    """
    credentials = told_by_gateway(scope) if caller.expressed else credentials_of(scope, reads)
    return _digest(credentials, caller, reads, secret)


def made_under(scope: Mapping[str, Any], caller: Caller, reads: Reads, secret: bytes) -> str:
    """Return that digest for a claim: of a principal that stands for its credential also for whom the request is.

    Its client may send another tenant's name under the same key. The arguments are those of `credentials_digest`.
    """
    if not caller.expressed:
        return credentials_digest(scope, caller, reads, secret)
    return _digest(chain(told_by_gateway(scope), told_by_client(scope)), caller, reads, secret)


def _digest(credentials: Iterator[tuple[str, str]], caller: Caller, reads: Reads, secret: bytes) -> str:
    """Digest names and values, except an API key that is the principal; empty if there are none."""
    is_key = caller.principal.startswith("key:") and "x-api-key" not in reads.fields
    hashed, found_any = blake2b(digest_size=12, key=secret[:64]), False
    for pair in credentials:
        if is_key and pair[0] == "x-api-key":
            continue
        found_any = True
        for part in pair:
            encoded = part.encode("utf-8", "surrogatepass")
            hashed.update(b"%d:%b" % (len(encoded), encoded))
    return hashed.hexdigest() if found_any else ""


def beside_the_principal(scope: Mapping[str, Any], caller: Caller, reads: Reads, secret: bytes) -> str:
    """Return a digest of all credentials of a request, except an API key that is its principal; empty if it has none.

    Every cookie counts, since a response may depend on any: a copy is never shared by requests whose cookies differ,
    unless they are a balancer's, say, and the route declares no parameter that reads them.

    The arguments are those of `credentials_digest`.
    """
    return _digest(credentials_of(scope, reads, every_cookie=True), caller, reads, secret)


def credentials_of(scope: Mapping[str, Any], reads: Reads, *, every_cookie: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the names and values of a request's credentials: fields, cookies, session, user, query parameters."""
    # A session's cookie is signed anew with each response, so the session's content counts and not the cookie.
    signed_anew = reads.session_cookies if scope.get("session") else frozenset[str]()
    for raw_name, raw_value in sorted(scope["headers"], key=_name):
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "cookie":
            yield from _cookies(value, reads, signed_anew, every=every_cookie)
        elif tells_who(name) or (name in reads.fields and not is_silent(name)):
            yield name, _signer(value) if name == "authorization" and value.startswith(_SIGNATURE) else value
    yield from found_before(scope)
    yield from told_by_gateway(scope)
    if query := scope.get("query_string", b""):
        yield from _parameters(query.decode("latin-1"), reads)


def _signer(value: str) -> str:
    """Return the access key that has signed; the signature itself is another one with each attempt."""
    found = re.search(r"Credential=([^/,\s]+)", value)
    return value if found is None else found[1]


def _name(field: tuple[bytes, bytes]) -> bytes:
    return field[0]


def _parameters(query: str, reads: Reads) -> Iterator[tuple[str, str]]:
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in reads.query or tells_who(name.lower()):
            yield f"?{name}", value


def _cookies(line: str, reads: Reads, signed_anew: frozenset[str], *, every: bool) -> Iterator[tuple[str, str]]:
    for name, _, value in sorted(part.strip().partition("=") for part in line.split(";")):
        if not name or name in signed_anew:
            continue
        if _counts_visitors(name.lower()) and not (every and name in reads.cookies):
            continue
        if every or name in reads.cookies or len(value) >= _SECRET_FROM or _names_caller(name):
            yield f"cookie {name}", value


@lru_cache(maxsize=512)
def _names_caller(cookie: str) -> bool:
    name = cookie.lower()
    return tells_who(name) or name == "id" or "sess" in name or name.startswith(("__host-", "__secure-"))


@lru_cache(maxsize=512)
def _counts_visitors(cookie: str) -> bool:
    return re.fullmatch(_SILENT_COOKIES, cookie) is not None
