"""LLM tokens: a request reserves the most that it may use, and pays at its stream's end for what it has used.

    TIDEGATE_STORE=memory uvicorn --app-dir examples tokens:app
    curl -N -i 'http://127.0.0.1:8000/chat?most=400'

`words_of` stands for a model, one word is one token. A client that leaves in the middle pays for what was made until
then.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Query, Request
from fastapi.responses import StreamingResponse

from tidegate import Admission, TokenBucket, policy, protect

USUAL = 200
MOST = 500

app = FastAPI(title="Tokens")
protect(app)


def reserved(scope: Mapping[str, Any]) -> int:
    """Return the most tokens that a request may use; what isn't valid pays for all, and the route refuses it."""
    said = parse_qs(scope["query_string"].decode("latin-1")).get("most", [str(USUAL)])[-1]
    return min(int(said), MOST) if said.isascii() and said.isdigit() and len(said) < 6 else MOST


async def words_of(most: int) -> AsyncIterator[str]:
    """Make an answer of 12 tokens, or fewer."""
    for number in range(min(12, most)):
        yield f"word{number} "


async def metered(admission: Admission, words: AsyncIterator[str]) -> AsyncIterator[str]:
    """Pass words on, and say at each one what the request has cost until now."""
    admission.charge(0)
    used = 0
    async for word in words:
        used += 1
        admission.charge(used)
        yield word


@app.get("/chat")
@policy(limits=[TokenBucket("1000/min", burst=1000, cost=reserved, name="tokens")])
async def chat(request: Request, most: int = Query(USUAL, ge=1, le=MOST)) -> StreamingResponse:
    """Stream an answer."""
    return StreamingResponse(metered(request.state.tidegate, words_of(most)), media_type="text/plain")
