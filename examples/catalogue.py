"""A cached catalogue: a rush on one product runs its handler once, and a new price is seen at once.

    TIDEGATE_STORE=memory uvicorn --app-dir examples catalogue:app
    curl -i http://127.0.0.1:8000/products/7
    curl -X PUT 'http://127.0.0.1:8000/products/7?cents=900'

A copy that is older than half a minute is still given, for five, while one request makes a new one.
"""

import asyncio

from fastapi import FastAPI, HTTPException

from tidegate import Cache, TokenBucket, policy, protect

app = FastAPI(title="Catalogue")
gate = protect(app)
prices = {7: 500, 8: 800}
looked_up: list[int] = []


@app.get("/products/{product}")
@policy(
    limits=[TokenBucket("100/s", burst=300)],
    cache=Cache("30s", stale="5m", shared=True, tags=("product:{product}",), not_found="10s"),
)
async def product(product: int) -> dict[str, int]:
    """Look a product up, which takes a while."""
    looked_up.append(product)
    await asyncio.sleep(0.1)
    if product not in prices:
        raise HTTPException(404)
    return {"product": product, "cents": prices[product]}


@app.put("/products/{product}")
@policy(limits=[TokenBucket("5/s")])
async def change(product: int, cents: int) -> dict[str, int]:
    """Change a price, and void the copies of that product, of all routes and callers."""
    prices[product] = cents
    await gate.invalidate(f"product:{product}")
    return {"product": product, "cents": cents}


@app.get("/looked-up")
@policy()
async def times() -> int:
    """Say how often a product was looked up."""
    return len(looked_up)
