"""What an application's middlewares have found of a caller, before the guard: the session, and the user.

Whatever they read it from, a field or a cookie of any name, an address or a certificate, it tells callers apart as a
credential does. Source: Starlette's `SessionMiddleware` and `AuthenticationMiddleware`, which put `session`, `user` and
`auth` into the scope.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

# What users' classes call the name of a user: Starlette's own first.
_NAMES = ("identity", "display_name", "id", "user_id", "username", "sub", "email")
_PLAIN = (str, int, UUID)


def found_before(scope: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names and contents of a request's session, of its user, and of what that user may do."""
    if session := scope.get("session"):
        yield "session", _text(session)
    user = scope.get("user")
    if user is None or getattr(user, "is_authenticated", True) is False:
        return
    yield from (("user", each) for each in _told_by(user))
    with suppress(TypeError):  # a class of its own may have scopes of any kind
        yield from (("scope", str(each)) for each in sorted(getattr(scope.get("auth"), "scopes", ())))


def _told_by(user: Any) -> Iterator[str]:
    if isinstance(user, _PLAIN):
        yield str(user)
    elif isinstance(user, Mapping):
        yield _text(user)
    else:
        for name in _NAMES:
            with suppress(Exception):  # the application's own: Starlette's `SimpleUser` raises for `identity`
                value = getattr(user, name, None)
                if isinstance(value, _PLAIN):
                    yield f"{name}={value}"


def _text(content: Any) -> str:
    try:
        return json.dumps(content, sort_keys=True, default=str)
    except (TypeError, ValueError):  # names of several types, or a content within itself
        return repr(sorted(map(repr, content.items())))
