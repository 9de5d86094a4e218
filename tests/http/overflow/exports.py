"""An application whose requests may wait in the queue, what was run of it, and what its clients ask."""

from typing import Any

import httpx
from fastapi import FastAPI, Request, Response

from tests.http.faces import Function, Server
from tidegate import Settings, TokenBucket, policy, protect

# Another limit than the one that refused: time has passed.
AMPLE = TokenBucket("1000/s", burst=1000, name="later", shared=True)
ONE_A_MINUTE = TokenBucket("1/min", burst=1, name="exports", shared=True)
KEY = {"idempotency-key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"'}
SOON = TokenBucket("1/s", burst=1)
DEAR = TokenBucket("1/s", burst=1, cost=lambda scope: 2 + len(scope["query_string"]))


class Exports:
    """The application behind the guard."""

    def __init__(self, settings: Settings, limit: TokenBucket | None = None) -> None:
        self.app = FastAPI()
        self.runs: list[tuple[str, int]] = []
        self.asked: list[dict[str, Any]] = []
        self.fails_with: Exception | None = None
        self.gate = protect(self.app, settings=settings, requests="/v1/requests")
        self._declare(limit or ONE_A_MINUTE)

    @property
    def numbers(self) -> list[int]:
        return [n for _, n in self.runs]

    def _declare(self, limit: TokenBucket) -> None:
        @self.app.post("/soon", status_code=201)
        @policy(limits=[SOON], overflow="queue")
        async def soon(body: dict[str, int], request: Request) -> dict[str, Any]:
            return self._run(body["n"], request)

        @self.app.post("/dear", status_code=201)
        @policy(limits=[DEAR], overflow="queue")
        async def dear(body: dict[str, int], request: Request) -> dict[str, Any]:
            return self._run(body["n"], request)

        @self.app.post("/exports", status_code=201)
        @policy(limits=[limit], overflow="queue", queue_keeps=["X-Note"])
        async def export(body: dict[str, int], request: Request, response: Response) -> dict[str, Any]:
            response.headers["x-made-by"] = "the handler"
            response.headers["cache-control"] = "public, max-age=60"
            response.set_cookie("session", "s3cret-made")
            return self._run(body["n"], request)

        @self.app.post("/orders", status_code=201)
        @policy(limits=[limit], idempotent=True, overflow="queue")
        async def order(body: dict[str, int], request: Request) -> dict[str, Any]:
            return self._run(body["n"], request)

    def _run(self, n: int, request: Request) -> dict[str, Any]:
        admission = request.state.tidegate
        self.runs.append((admission.principal, n))
        headers = dict(request.headers)
        self.asked.append({"path": request.url.path, "query": request.url.query, "headers": headers})
        if self.fails_with is not None:
            raise self.fails_with
        return {"n": n, "by": admission.principal}


def export(api: Function | Server, n: Any, key: str = "alice", **headers: str) -> httpx.Response:
    """Ask for an export; without a limit in its way it is run at once."""
    return api.post("/exports", key=key, json={"n": n}, headers=headers)


def order(api: Function | Server, n: int, **headers: str) -> httpx.Response:
    """Ask for an order, always under the same idempotency key."""
    return api.post("/orders", key="alice", json={"n": n}, headers={**KEY, **headers})


def read(api: Function | Server, accepted: httpx.Response, key: str = "alice") -> httpx.Response:
    """Ask for the answer of a request that was accepted."""
    return api.get(accepted.headers["location"], key=key)
