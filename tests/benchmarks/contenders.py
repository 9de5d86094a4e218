"""The applications that are measured: the same two routes, bare and behind each library, as its README has it.

Nothing is imported here but by the function that needs it: cold starts are measured with this module, so it has
no imports of its own, and no annotations that would need any.
"""

# Far above what any benchmark sends: a refusal would be measured as a quick answer.
PER_SECOND = 100_000
ONE_COMMAND = "return redis.call('INCR', KEYS[1])"
PRODUCTS = [{"id": f"p{n}", "name": f"Product {n}", "price_cents": 100 * n} for n in range(10)]


def bare():
    """FastAPI and Mangum alone."""
    from fastapi import FastAPI
    from mangum import Mangum

    app = FastAPI()
    _get(app)
    _post(app)
    return Mangum(app, lifespan="off")


def one_evalsha(redis_url):
    """The bare application, whose GET asks Redis once, by redis-py and in a script of one command."""
    import redis
    from fastapi import FastAPI
    from mangum import Mangum

    app = FastAPI()
    client = redis.Redis.from_url(redis_url)
    sha = client.script_load(ONE_COMMAND)

    @app.get("/products")
    async def products():
        client.evalsha(sha, 1, "bench:{unit}")
        return PRODUCTS

    return Mangum(app, lifespan="off")


def tidegate(limits=1, claims="dynamodb", rate=None, cached=False):
    """Ours; what it is set up with comes from the TIDEGATE_* variables, as in a function."""
    from fastapi import FastAPI

    from tidegate import TokenBucket, lambda_handler, policy, protect

    buckets = [TokenBucket(rate or f"{PER_SECOND - n}/s") for n in range(limits)]
    app = FastAPI()
    app.state.gate = protect(app)
    _get(app, policy(limits=buckets, cache=_shared_copies() if cached else None))
    _post(app, policy(limits=buckets, idempotent=True, claims=claims))
    return lambda_handler(app)


def _shared_copies():
    from tidegate import Cache

    return Cache("1h", shared=True)


def slowapi(redis_url, limits=1, *, headers=False, options=None):
    """Limits alone (fixed windows, its default), with its decorator, which costs less than its middleware."""
    from fastapi import Request, Response
    from mangum import Mangum

    app, limiter = _slowapi_app(redis_url, headers=headers, options=options)
    limit = limiter.limit(";".join(f"{PER_SECOND - n}/second" for n in range(limits)))

    @app.get("/products")
    @limit
    async def products(request: Request, response: Response):
        return PRODUCTS

    return Mangum(app, lifespan="off")


def slowapi_cashews(redis_url):
    """Limits, and the handler's result from a cache in Redis."""
    from cashews import Cache
    from fastapi import Request, Response
    from mangum import Mangum

    app, limiter = _slowapi_app(redis_url)
    cache = Cache()
    cache.setup(redis_url)

    @app.get("/products")
    @limiter.limit(f"{PER_SECOND}/second")
    @cache(ttl="10m", key="products")
    async def products(request: Request, response: Response):
        return PRODUCTS

    return Mangum(app, lifespan="off")


def powertools(layer):
    """Idempotency alone; `layer` makes the persistence layer."""
    from fastapi import FastAPI
    from mangum import Mangum

    app = FastAPI()
    _get(app)
    _idempotent_post(app, layer())
    return Mangum(app, lifespan="off")


def slowapi_powertools(redis_url, layer, *, headers=False):
    """Limits before idempotency."""
    from fastapi import Request, Response
    from mangum import Mangum

    app, limiter = _slowapi_app(redis_url, headers=headers)
    limit = limiter.limit(f"{PER_SECOND}/second")

    @app.get("/products")
    @limit
    async def products(request: Request, response: Response):
        return PRODUCTS

    _idempotent_post(app, layer(), limit)
    return Mangum(app, lifespan="off")


def fastapi_limiter(redis_url, loop):
    """Limits alone, through pyrate-limiter's log of requests in Redis."""
    import redis.asyncio
    from fastapi import Depends, FastAPI
    from fastapi_limiter.depends import RateLimiter
    from mangum import Mangum
    from pyrate_limiter import Duration, Limiter, Rate, RedisBucket

    async def bucket():
        client = redis.asyncio.Redis.from_url(redis_url)
        return Limiter(await RedisBucket.init([Rate(PER_SECOND, Duration.SECOND)], client, "fastapi-limiter"))

    limiter = loop.run_until_complete(bucket())
    app = FastAPI()

    async def caller(request):
        return _caller(request)

    @app.get("/products", dependencies=[Depends(RateLimiter(limiter, identifier=caller))])
    async def products():
        return PRODUCTS

    return Mangum(app, lifespan="off")


def close(handler):
    """Close what ours holds open; the peers' clients close themselves when they are collected."""
    gate = getattr(handler.app.state, "gate", None)
    if gate is not None:
        gate.close()


def cache_layer(redis_url):
    """Powertools' persistence layer in Redis."""
    import redis
    from aws_lambda_powertools.utilities.idempotency.persistence.redis import CachePersistenceLayer

    return CachePersistenceLayer(client=redis.Redis.from_url(redis_url))


def dynamodb_layer(table):
    """Powertools' persistence layer in DynamoDB."""
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer

    return DynamoDBPersistenceLayer(table_name=table, key_attr="pk")


def _get(app, guard=lambda endpoint: endpoint):
    @app.get("/products")
    @guard
    async def products():
        return PRODUCTS


def _post(app, guard=lambda endpoint: endpoint):
    @app.post("/orders", status_code=201)
    @guard
    async def order(body: dict):
        return {"order": body}


def _idempotent_post(app, layer, limit=lambda endpoint: endpoint):
    from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
    from fastapi import Request, Response

    config = IdempotencyConfig(event_key_jmespath="key")

    @idempotent_function(data_keyword_argument="order", persistence_store=layer, config=config)
    def create(order):
        return {"order": order["body"]}

    @app.post("/orders", status_code=201)
    @limit
    async def order(request: Request, response: Response, body: dict):
        config.register_lambda_context(request.scope["aws.context"])
        return create(order={"key": request.headers["idempotency-key"], "body": body})


def _slowapi_app(redis_url, *, headers=False, options=None):
    from fastapi import FastAPI
    from slowapi import Limiter, _rate_limit_exceeded_handler
    from slowapi.errors import RateLimitExceeded

    app = FastAPI()
    app.state.limiter = Limiter(_caller, storage_uri=redis_url, headers_enabled=headers, **(options or {}))
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)
    return app, app.state.limiter


def _caller(request):
    """Who is asking: the API key's id, as ours has it."""
    return request.scope["aws.event"]["requestContext"]["identity"]["apiKeyId"]
