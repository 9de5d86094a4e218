"""An application with cached routes whose handlers can be counted, held and broken."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

import http_sf
import httpx
from fastapi import FastAPI, HTTPException, Request, Response

from tidegate import Cache, TokenBucket, policy
from tidegate.limits.limit import Limit

AMPLE = TokenBucket("10000/s", burst=10000)
PATIENCE_S = 20.0


class Catalogue:
    """The application and what steers it.

    Attributes:
        calls: how often each path's handler has run.
        answer: what the handlers answer with: a status, and further fields.
        held: while it isn't set, handlers wait.
        began: set when a handler has begun.
    """

    def __init__(self, limits: Iterable[Limit] = (AMPLE,), **cache: Any) -> None:
        self.calls: Counter[str] = Counter()
        self.status = 200
        self.headers: dict[str, str] = {}
        self.raises: Exception | None = None
        self.held = threading.Event()
        self.held.set()
        self.began = threading.Event()
        self.limits = tuple(limits)
        self.cache = Cache(**({"fresh": "1h"} | cache))
        self.app = self._make()

    def _made(self, request: Request, response: Response) -> dict[str, Any]:
        self.calls[request.url.path] += 1
        number = self.calls[request.url.path]
        self.began.set()
        assert self.held.wait(PATIENCE_S), "nobody let it go on"
        if self.raises is not None:
            raise self.raises
        if self.status >= 400:
            raise HTTPException(self.status)
        response.headers.update(self.headers)
        return {"number": number, "who": request.state.tidegate.principal}

    def _make(self) -> FastAPI:
        app = FastAPI()

        @app.get("/products/{product_id}")
        @policy(limits=self.limits, cache=self.cache)
        def product(product_id: str, request: Request, response: Response):
            request.state.tidegate.tag(f"added:{product_id}")
            return self._made(request, response)

        @app.get("/scarce")
        @policy(limits=[TokenBucket("1/h")], cache=Cache("1h"))
        def scarce(request: Request, response: Response):
            return self._made(request, response)

        @app.get("/together")
        @policy(limits=self.limits, coalesce=True)
        def together(request: Request, response: Response):
            return self._made(request, response)

        @app.post("/products/{product_id}")
        @policy(limits=self.limits)
        async def change(product_id: str, request: Request):
            return await request.state.tidegate.invalidate(f"product:{product_id}")

        @app.put("/products/{product_id}")
        @policy(limits=self.limits)
        def change_blocking(product_id: str, request: Request):
            return request.state.tidegate.invalidate_blocking(f"added:{product_id}")

        return app


def control(answer: httpx.Response) -> dict[str, Any]:
    """What Cache-Control says."""
    found = http_sf.parse(answer.headers["cache-control"].encode(), tltype="dictionary")
    return {name: value for name, (value, _) in found.items()}
