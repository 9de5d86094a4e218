"""Applications that authenticate by themselves, each in another way, and how a caller shows who he is to them."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Cookie, Depends, FastAPI, Header, HTTPException, Request
from fastapi.dependencies import utils
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPBasic,
    HTTPBearer,
    OAuth2PasswordBearer,
)
from itsdangerous import TimestampSigner
from pydantic import BaseModel, Field
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate import Cache, TokenBucket, policy

AMPLE = [TokenBucket("1000/s")]
# What the applications take for a credential, and whose it is.
KNOWN = {"ann-9f3c2b71": "ann", "bob-51d0aa42": "bob"}
ANN, BOB = KNOWN
WRONG = "eve-00000000"


@dataclass(frozen=True)
class Shown:
    """What a request carries to show who asks."""

    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""


@dataclass(frozen=True)
class Way:
    """One way to authenticate.

    Attributes:
        dependency: what a route depends on; None: a middleware does it.
        shown: what a caller with that credential sends.
        middleware: adds what the application needs.
    """

    dependency: Callable[..., Any]
    shown: Callable[[str], Shown]
    middleware: Callable[[FastAPI], None] = lambda app: None


def _known(credential: str | None) -> str:
    if credential not in KNOWN:
        raise HTTPException(401, "who is it?")
    return KNOWN[credential]


def _scheme(scheme: Any, read: Callable[[Any], str | None] = lambda found: found) -> Callable[..., str]:
    def who(found: Annotated[Any, Depends(scheme)]) -> str:
        return _known(read(found))

    return who


def _by_parameter(x_partner: Annotated[str | None, Header()] = None) -> str:
    return _known(x_partner)


class _Fields(BaseModel):
    x_partner: str | None = None
    accept: str = ""


class _Crumbs(BaseModel):
    basket: str | None = Field(None, alias="bread-basket")


def _by_header_model(fields: Annotated[_Fields, Header()]) -> str:
    return _known(fields.x_partner)


def _by_cookie_model(crumbs: Annotated[_Crumbs, Cookie()]) -> str:
    return _known(crumbs.basket)


def _by_alias(partner: Annotated[str | None, Header(validation_alias="X-Partner")] = None) -> str:
    return _known(partner)


def _by_cookie_parameter(basket: Annotated[str | None, Cookie()] = None) -> str:
    return _known(basket)


def _by_hand(request: Request) -> str:
    return _known(request.headers.get("x-internal-token"))


def _by_proxy(request: Request) -> str:
    return _known(request.headers.get("x-forwarded-user"))


def _by_cookie_by_hand(request: Request) -> str:
    return _known(request.cookies.get("who"))


def _by_session(request: Request) -> str:
    return _known(request.session.get("credential"))


def _by_middleware(request: Request) -> str:
    if not request.user.is_authenticated:
        raise HTTPException(401, "who is it?")
    return str(request.user.display_name)


class _Backend(AuthenticationBackend):
    async def authenticate(self, conn: Any) -> Any:
        credential = conn.headers.get("x-auth")
        return (AuthCredentials(["any"]), SimpleUser(KNOWN[credential])) if credential in KNOWN else None


class _Clerk:
    """A user's class of the application's own."""

    is_authenticated = True

    def __init__(self, name: str) -> None:
        self.username = name


# What middlewares put into the scope as the user.
_USERS: dict[str, Callable[[str], Any]] = {
    "Starlette's user": SimpleUser,
    "a user of its own class": _Clerk,
    "a token's claims": lambda name: {"sub": name, "groups": ["staff"]},
    "a name": str,
}


def _by_user(request: Request) -> str:
    user = request.scope.get("user")
    if user is None:
        raise HTTPException(401, "who is it?")
    return str(
        user["sub"] if isinstance(user, dict) else getattr(user, "display_name", getattr(user, "username", user))
    )


class _Desks:
    """Finds the user by a field whose name says nothing."""

    def __init__(self, app: ASGIApp, user: Callable[[str], Any]) -> None:
        self._app = app
        self._user = user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        desk = dict(scope["headers"]).get(b"x-desk", b"").decode() if scope["type"] == "http" else ""
        if desk in KNOWN:
            scope["user"] = self._user(KNOWN[desk])
        await self._app(scope, receive, send)


def _by_desk(user: Callable[[str], Any]) -> Way:
    return Way(_by_user, lambda c: Shown({"x-desk": c}), lambda app: app.add_middleware(_Desks, user=user))


def _basic(credential: str) -> Shown:
    return Shown({"authorization": "Basic " + base64.b64encode(f"{credential}:".encode()).decode()})


def _session(credential: str) -> Shown:
    """A session's cookie, signed at this moment: the next one differs."""
    _session.number += 1  # type: ignore[attr-defined]
    said = base64.b64encode(json.dumps({"credential": credential}).encode())
    signer = TimestampSigner("secret")
    at = signer.get_timestamp() - _session.number  # type: ignore[attr-defined]
    signer.get_timestamp = lambda: at  # type: ignore[method-assign]
    return Shown({"cookie": f"crumb={signer.sign(said).decode()}"})


_session.number = 0  # type: ignore[attr-defined]

WAYS = {
    "HTTPBearer": Way(
        _scheme(HTTPBearer(), lambda found: found.credentials), lambda c: Shown({"authorization": f"Bearer {c}"})
    ),
    "OAuth2": Way(_scheme(OAuth2PasswordBearer("token")), lambda c: Shown({"authorization": f"Bearer {c}"})),
    "HTTPBasic": Way(_scheme(HTTPBasic(), lambda found: found.username), _basic),
    "APIKeyHeader": Way(_scheme(APIKeyHeader(name="X-Pass-Through")), lambda c: Shown({"x-pass-through": c})),
    "APIKeyQuery": Way(_scheme(APIKeyQuery(name="k")), lambda c: Shown(query=f"?k={c}")),
    "APIKeyCookie": Way(_scheme(APIKeyCookie(name="c")), lambda c: Shown({"cookie": f"theme=dark; c={c}"})),
    "a header parameter": Way(_by_parameter, lambda c: Shown({"x-partner": c})),
    "a model of header parameters": Way(_by_header_model, lambda c: Shown({"x-partner": c})),
    "a model of cookie parameters": Way(_by_cookie_model, lambda c: Shown({"cookie": f"bread-basket={c}"})),
    "a cookie parameter": Way(_by_cookie_parameter, lambda c: Shown({"cookie": f"basket={c}"})),
    "a header read by hand": Way(_by_hand, lambda c: Shown({"x-internal-token": c})),
    "a proxy's header": Way(_by_proxy, lambda c: Shown({"x-forwarded-user": c})),
    "a cookie read by hand": Way(_by_cookie_by_hand, lambda c: Shown({"cookie": f"who={c}"})),
    "a session": Way(
        _by_session,
        _session,
        lambda app: app.add_middleware(SessionMiddleware, secret_key="secret", session_cookie="crumb"),
    ),
    "a middleware": Way(
        _by_middleware,
        lambda c: Shown({"x-auth": c}),
        lambda app: app.add_middleware(AuthenticationMiddleware, backend=_Backend()),
    ),
    **{f"a middleware that finds {found}": _by_desk(user) for found, user in _USERS.items()},
}
if hasattr(utils, "get_validation_alias"):  # an earlier FastAPI reads no such alias
    WAYS["a header by another alias"] = Way(_by_alias, lambda c: Shown({"x-partner": c}))


class Till:
    """An application that authenticates in one way, and counts its handlers' runs."""

    def __init__(self, way: Way) -> None:
        self.app = FastAPI()
        self.runs: list[str] = []
        self.fails = False
        way.middleware(self.app)

        @self.app.post("/orders")
        @policy(limits=AMPLE, idempotent=True)
        async def order(body: dict[str, int], who: Annotated[str, Depends(way.dependency)]) -> dict[str, Any]:
            self.runs.append(who)
            return {"by": who, "run": len(self.runs), **body}

        @self.app.get("/orders")
        @policy(limits=AMPLE, cache=Cache("60s"))
        async def orders(who: Annotated[str, Depends(way.dependency)]) -> dict[str, Any]:
            self.runs.append(who)
            return {"by": who, "run": len(self.runs)}

        @self.app.get("/shared")
        @policy(limits=AMPLE, cache=Cache("60s", shared=True))
        async def shared(who: Annotated[str, Depends(way.dependency)]) -> dict[str, Any]:
            self.runs.append(who)
            return {"by": who, "run": len(self.runs)}
