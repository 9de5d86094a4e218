"""What the storm hits: three routes that take the same time, one of each criticality."""

from __future__ import annotations

import asyncio
import os

from fastapi import FastAPI

from tidegate import TokenBucket, policy, protect

SERVICE_S = float(os.environ.get("STORM_SERVICE_S", "0.4"))
# Each client's limit leaves it room; those of all clients together promise more than there is, as limits do.
_LIMITS = [TokenBucket(rate, burst=5) for rate in filter(None, [os.environ.get("STORM_LIMIT")])]

app = FastAPI()
protect(app)


@app.get("/critical")
@policy(limits=_LIMITS, priority="critical", on_outage="allow")
async def critical() -> str:
    return await work()


@app.get("/normal")
@policy(limits=_LIMITS, priority="normal", on_outage="allow")
async def normal() -> str:
    return await work()


@app.get("/sheddable")
@policy(limits=_LIMITS, priority="sheddable", on_outage="allow")
async def sheddable() -> str:
    return await work()


async def work() -> str:
    """Take time and no processor: many environments share few cores here."""
    await asyncio.sleep(SERVICE_S)
    return "done"
