"""The names by which a request says for whom it is, beside its principal.

A gateway's authorizer may give one `principalId` to everybody, as the samples of API Gateway's developer guide do, and
say in its context who asks. Two issuers may have a subject of the same name, and one user may act for two tenants, by
a claim or by a field that he sends. What is said by such names is the same in all attempts of one request. What differs
between two attempts of one caller (tokens, times, latencies) has none of these names.

Sources: "Use API Gateway Lambda authorizers"; OpenID Connect Core 1.0, section 5.7: a user is `iss` and `sub` together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from tidegate.aws_lambda.events.caller import context_of, part, said_by

_SOMEBODY = (
    "user|tenant|account|customer|member|org|organi[sz]ation|subject|person|company|workspace|team|merchant|partner|"
    "employee|shop|store|project|realm"
)
_TELLING = (
    rf"(?:{_SOMEBODY})(?:_?(?:id|name|ref|key|no|number|uuid|arn|code|slug|email))?|(?:client|device)_?id|"
    "sub|iss|issuer|uid|oid|tid|upn|email|identity|(?:on_)?behalf(?:_of)?|act_as|impersonate"
)
# `Sec-Fetch-User` says whether somebody has clicked.
_OF_BROWSERS = "sec-"
# The start of a word within a name, as in `userId`.
_HUMP = r"(?<=[a-z0-9])(?=[A-Z])"


def told_by_gateway(scope: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names and values by which an authorizer says who asks, and for whom."""
    authorizer = part(context_of(scope.get("aws.event")), "authorizer")
    if authorizer:
        yield from _of(said_by(authorizer), "authorizer")


def told_by_client(scope: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names and values of the fields and cookies by which a client says for whom it asks."""
    for raw_name, raw_value in sorted((name, value) for name, value in scope["headers"]):  # pairs of any kind
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "cookie":
            pairs = sorted(each.strip().partition("=") for each in value.split(";"))
            yield from ((f"cookie {cookie}", text) for cookie, _, text in pairs if _tells(cookie, within=True))
        elif _tells(name, within=True) and not name.startswith(_OF_BROWSERS):
            yield name, value


def _of(told: Mapping[str, Any], within: str) -> Iterator[tuple[str, str]]:
    for name in sorted(told):
        if not _tells(name) and not (name == "id" and within != "authorizer"):
            continue
        value = told[name]
        if isinstance(value, dict) and within == "authorizer":
            yield from _of(value, f"{within}.{name}")
        elif isinstance(value, str | int | float) and value != "":
            yield f"{within}.{name}", str(value)


@lru_cache(maxsize=1024)
def _tells(name: str, *, within: bool = False) -> bool:
    """Whether a name tells for whom a request is.

    Args:
        name: the name.
        within: whether it may end with such a name, as `x-tenant-id` does.
    """
    own = re.split(r"[/:]", name)[-1]  # `custom:tenant` of Cognito, `https://example.com/tenant` of others
    words = re.sub(_HUMP, "_", own).replace("-", "_").lower()
    return re.search(rf"{'(?:^|_)' if within else '^'}(?:{_TELLING})$", words) is not None
