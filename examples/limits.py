"""Limits: a burst for each caller, a daily quota for his organisation, and a slot for what is slow.

    TIDEGATE_STORE=memory uvicorn --app-dir examples limits:app
    curl -i http://127.0.0.1:8000/search?q=tide -H 'X-User: ada' -H 'X-Team: moon'

The two fields stand for your own authentication; here they are believed.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from tidegate import Caller, Concurrency, Quota, TokenBucket, policy, protect

app = FastAPI(title="Limits")


def identify(scope: Mapping[str, Any]) -> Caller:
    """Say who asks, and for whom."""
    fields = dict(scope["headers"])
    user = fields.get(b"x-user", b"nobody").decode()
    team = fields.get(b"x-team", b"").decode()
    return Caller(f"user:{user}", organisation=team or None)


protect(app, identify=identify)


@app.get("/search")
@policy(
    limits=[
        TokenBucket("5/s", burst=3, name="person"),
        Quota("5/day", zone="Europe/Zurich", per="organisation", name="team"),
    ]
)
async def search(q: str) -> dict[str, str]:
    """Admit three at once from one person, and five a day from his team."""
    return {"found": q}


@app.get("/report")
@policy(limits=[Concurrency(1, lease="30s", per="route", name="report")])
async def report() -> dict[str, str]:
    """Run one report at a time, whoever asks."""
    return {"report": "done"}
