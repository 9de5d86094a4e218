"""An application whose requests may wait in the queue, and what was run of it."""

from typing import Any

from fastapi import FastAPI, Request, Response

from tidegate import Settings, TokenBucket, policy, protect

ONE_A_MINUTE = TokenBucket("1/min", burst=1, name="exports", shared=True)
SOON = TokenBucket("1/s", burst=1)
DEAR = TokenBucket("1/s", burst=1, cost=2)


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
        @policy(limits=[limit], overflow="queue")
        async def export(body: dict[str, int], request: Request, response: Response) -> dict[str, Any]:
            response.headers["x-made-by"] = "the handler"
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
