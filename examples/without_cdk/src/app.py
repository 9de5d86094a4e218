"""A letterbox: ten letters a minute from one address, and one that is sent again isn't posted twice."""

from fastapi import FastAPI

from tidegate import TokenBucket, lambda_handler, policy, protect

app = FastAPI(title="Letters")
protect(app)


@app.post("/letters", status_code=201)
@policy(limits=[TokenBucket("10/min", burst=10)], idempotent=True)
async def post(text: str) -> dict[str, str]:
    """Post one letter."""
    return {"posted": text}


handler = lambda_handler(app)
