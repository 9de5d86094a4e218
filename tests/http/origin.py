"""An origin that answers what a test tells it, field by field, behind a cached route of the library."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from email.utils import formatdate
from typing import Any

import httpx
from fastapi import FastAPI, Request, Response

from tests.harness.cache_status import told
from tests.http.faces import Server
from tidegate import Cache, policy

# A field's name and value; a number of seconds from now is written as a date.
Field = tuple[str, str | int]
PATH = "/things/a"
_PATIENCE_S = 20.0


class Origin:
    """The application and what it was asked.

    Attributes:
        status, fields, body: what it answers with.
        raises: what it raises instead.
        requests: the requests that its handler has seen.
        held: while it isn't set, handlers wait.
    """

    def __init__(self, **cache: Any) -> None:
        self.status = 200
        self.fields: Sequence[Field] = ()
        self.body: bytes | None = None
        self.raises: Exception | None = None
        self.requests: list[dict[str, Any]] = []
        self.held = threading.Event()
        self.held.set()
        self.cache = Cache(**({"fresh": "1h", "shared": True} | cache))
        self.app = self._make()

    @property
    def calls(self) -> int:
        """How often its handler for what is cached has run."""
        return len(self.requests)

    def _answer(self) -> Response:
        if self.raises is not None:
            raise self.raises
        body = b"answer %d" % self.calls if self.body is None else self.body
        response = Response(body, self.status)
        now = time.time()
        for name, value in self.fields:
            text = formatdate(now + value, usegmt=True) if isinstance(value, int) else value
            response.raw_headers.append((name.lower().encode(), text.encode("latin-1")))
        return response

    def _make(self) -> FastAPI:
        app = FastAPI()

        @app.api_route("/things/{name:path}", methods=["GET", "HEAD"])
        @policy(limits=[], cache=self.cache)
        def things(name: str, request: Request):
            self.requests.append(
                {"method": request.method, "url": str(request.url), "headers": dict(request.headers), "name": name}
            )
            assert self.held.wait(_PATIENCE_S), "nobody let it go on"
            return self._answer()

        @app.api_route("/together", methods=["GET"])
        @policy(limits=[], coalesce=True)
        def together(request: Request):
            self.requests.append({"method": request.method, "headers": dict(request.headers)})
            assert self.held.wait(_PATIENCE_S), "nobody let it go on"
            return self._answer()

        @app.api_route("/things/{item:path}", methods=["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"])
        @policy(limits=[])
        def change(item: str):
            return self._answer()

        @app.post("/elsewhere")
        @policy(limits=[])
        def elsewhere():
            return self._answer()

        return app


def is_copy(answer: httpx.Response) -> bool:
    """Whether an answer is a copy."""
    return told(answer).get("hit") is True


def kept(api: Server, origin: Origin, *fields: Field, status: int = 200) -> bool:
    """Whether an answer with these fields is given again."""
    origin.status, origin.fields = status, fields
    first = api.get(PATH)
    assert first.status_code == status
    again = is_copy(api.get(PATH))
    assert again == (origin.calls == 1)
    return again
