"""The names by which a gateway's authorizer tells callers apart, beside the principal.

An authorizer may give one `principalId` to everybody, as the samples of API Gateway's developer guide do, and say in
its context who asks. Two issuers may have a subject of the same name, and one user may act for two tenants. So what it
says by such names is a part of the credentials under which a response was made. What differs between two attempts of
one caller (tokens, times, latencies) has none of these names.

Sources: "Use API Gateway Lambda authorizers"; OpenID Connect Core 1.0, section 5.7: a user is `iss` and `sub` together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from tidegate.aws_lambda.events.caller import part, said_by

_SOMEBODY = (
    "user|tenant|account|customer|client|member|org|organi[sz]ation|subject|person|company|workspace|team|merchant|"
    "partner|employee|device"
)
_TELLING = (
    rf"(?:{_SOMEBODY})(?:_?(?:id|name|ref|key|no|number|uuid|arn|code|slug|email))?|"
    "sub|iss|issuer|uid|oid|tid|upn|email|identity"
)
# The start of a word within a name, as in `userId`.
_HUMP = r"(?<=[a-z0-9])(?=[A-Z])"


def identities(context: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names and values by which an authorizer tells callers apart.

    Args:
        context: an event's `requestContext`.
    """
    authorizer = part(context, "authorizer")
    if authorizer:
        yield from _of(said_by(authorizer), "authorizer")


def _of(told: Mapping[str, Any], within: str) -> Iterator[tuple[str, str]]:
    for name in sorted(told):
        if not _tells(name) and not (name == "id" and within != "authorizer"):
            continue
        value = told[name]
        if isinstance(value, dict):
            yield from _of(value, f"{within}.{name}")
        elif isinstance(value, str | int | float) and value != "":
            yield f"{within}.{name}", str(value)


@lru_cache(maxsize=512)
def _tells(name: str) -> bool:
    own = re.split(r"[/:]", name)[-1]  # `custom:tenant` of Cognito, `https://example.com/tenant` of others
    words = re.sub(_HUMP, "_", own).replace("-", "_").lower()
    return re.fullmatch(_TELLING, words) is not None
