"""Streaming: an answer that lasts holds one of its caller's slots, from its first piece to its last.

    TIDEGATE_STORE=memory uvicorn --app-dir examples streaming:app
    curl -N http://127.0.0.1:8000/ticks?seconds=5

The guard passes each piece on as it comes. A slot is given back when the stream ends or its client leaves, and its
lease is renewed until then.
"""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from tidegate import Concurrency, policy, protect

app = FastAPI(title="Streaming")
protect(app)


async def ticks_of(seconds: int) -> AsyncIterator[str]:
    """Make one event a second."""
    for second in range(seconds):
        yield f"data: {second}\n\n"
        await asyncio.sleep(1)


@app.get("/ticks")
@policy(limits=[Concurrency(1, lease="10s", name="streams")])
async def ticks(seconds: int = 5) -> StreamingResponse:
    """Stream server-sent events, one stream for each caller at a time."""
    return StreamingResponse(ticks_of(seconds), media_type="text/event-stream")
