"""The applications that are served: one route, bare or behind a limit, as each library's README has it.

Run as `python -m tests.benchmarks.programs.served CONTENDER PORT REDIS_URL`.
"""

import logging
import sys
from collections.abc import Callable
from typing import Any

PER_SECOND = 1_000_000
PRODUCTS = [{"id": f"p{n}", "name": f"Product {n}", "price_cents": 100 * n} for n in range(10)]


def bare(_: str) -> Any:
    from fastapi import FastAPI

    app = FastAPI()
    _route(app)
    return app


def tidegate(redis_url: str, limits: int = 1) -> Any:
    from fastapi import FastAPI

    from tidegate import Settings, TokenBucket, policy, protect

    app = FastAPI()
    buckets = [TokenBucket(f"{PER_SECOND - n}/s") for n in range(limits)]

    @app.get("/products")
    @policy(limits=buckets)
    async def products():
        return PRODUCTS

    # The local stage's budget: on few cores a moment's load isn't to be taken for an outage.
    protect(app, settings=Settings(redis_url=redis_url, trust_api_key_header=True, decision_budget_ms=1000))
    return app


def tidegate_quiet(redis_url: str) -> Any:
    logging.getLogger("tidegate").setLevel(logging.WARNING)
    return tidegate(redis_url)


def limits_async(redis_url: str, limits: int = 1) -> Any:
    from fastapi import Depends, FastAPI, HTTPException, Request
    from limits import parse
    from limits.aio.storage import RedisStorage
    from limits.aio.strategies import FixedWindowRateLimiter

    limiter = FixedWindowRateLimiter(RedisStorage(f"async+{redis_url}", implementation="redispy"))
    items = [parse(f"{PER_SECOND - n}/second") for n in range(limits)]

    async def limited(request: Request) -> None:
        for item in items:
            if not await limiter.hit(item, request.client.host):
                raise HTTPException(429)

    app = FastAPI()
    _route(app, Depends(limited))
    return app


def slowapi(redis_url: str, *, headers: bool = False) -> Any:
    from fastapi import FastAPI, Request, Response
    from slowapi import Limiter
    from slowapi.util import get_remote_address

    limiter = Limiter(key_func=get_remote_address, storage_uri=redis_url, headers_enabled=headers)
    app = FastAPI()
    app.state.limiter = limiter

    @app.get("/products")
    @limiter.limit(f"{PER_SECOND}/second")
    async def products(request: Request, response: Response):
        return PRODUCTS

    return app


def fastapi_limiter(redis_url: str) -> Any:
    import contextlib

    import redis.asyncio
    from fastapi import Depends, FastAPI, Request, Response
    from fastapi_limiter.depends import RateLimiter
    from pyrate_limiter import Duration, Limiter, Rate, RedisBucket

    made: list[RateLimiter] = []

    async def caller(request: Request) -> str:
        return request.client.host

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI):
        client = redis.asyncio.Redis.from_url(redis_url)
        bucket = await RedisBucket.init([Rate(PER_SECOND, Duration.SECOND)], client, "fastapi-limiter")
        made.append(RateLimiter(Limiter(bucket), identifier=caller))
        yield

    async def limited(request: Request, response: Response) -> None:
        await made[0](request, response)

    app = FastAPI(lifespan=lifespan)
    _route(app, Depends(limited))
    return app


def fastapi_redis_sdk(redis_url: str) -> Any:
    import os

    from fastapi import Depends, FastAPI
    from redis_fastapi import FastAPIRedis, rate_limit

    os.environ["REDIS_URL"] = redis_url
    app = FastAPI()
    FastAPIRedis(app).lifespan().rate_limiting()
    _route(app, Depends(rate_limit(f"{PER_SECOND}/second")))
    return app


def cashews(redis_url: str) -> Any:
    from cashews import Cache
    from fastapi import FastAPI, Request

    cache = Cache()
    cache.setup(redis_url)
    app = FastAPI()

    @cache.rate_limit(limit=PER_SECOND, period=1, key="{host}")
    async def limited(host: str) -> None:
        return None

    @app.get("/products")
    async def products(request: Request):
        await limited(host=request.client.host)
        return PRODUCTS

    return app


CONTENDERS: dict[str, tuple[tuple[str, ...], Callable[[str], Any]]] = {
    "bare FastAPI": ((), bare),
    "Tidegate, with its line": ((), tidegate),
    "Tidegate, line off": ((), tidegate_quiet),
    "Tidegate, 2 limits": ((), lambda url: tidegate(url, 2)),
    "limits, async fixed window": (("limits",), limits_async),
    "limits, 2 limits": (("limits",), lambda url: limits_async(url, 2)),
    "slowapi": (("slowapi",), slowapi),
    "slowapi, with headers": (("slowapi",), lambda url: slowapi(url, headers=True)),
    "fastapi-limiter": (("fastapi-limiter",), fastapi_limiter),
    "fastapi-redis-sdk": (("fastapi-redis-sdk",), fastapi_redis_sdk),
    "cashews": (("cashews",), cashews),
}


def _route(app: Any, *dependencies: Any) -> None:
    @app.get("/products", dependencies=list(dependencies))
    async def products():
        return PRODUCTS


if __name__ == "__main__":
    import uvicorn

    _, name, port, url = sys.argv
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    uvicorn.run(CONTENDERS[name][1](url), port=int(port), log_level="warning", access_log=False)
