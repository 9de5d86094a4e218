"""Limits by plan, which a signed token says: who pays more may ask more often.

    PLANS_SECRET=at-least-32-characters-of-a-secret TIDEGATE_STORE=memory uvicorn --app-dir examples plans:app
    curl -i http://127.0.0.1:8000/answers -H "Authorization: Bearer TOKEN"

It needs `pip install 'tidegate[jwt]'`. `python examples/plans.py ada pro`, with the same secret, prints a token that is
valid for an hour.
"""

import os
import sys
import time
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tidegate import Tiers, TokenBucket, policy, protect
from tidegate.identity.jwt import JwtSubject

SECRET = os.environ["PLANS_SECRET"]
AUDIENCE = "plans"
PLANS = Tiers({"pro": "100/s", "free": "10/s"}, default="free")

app = FastAPI(title="Plans")
bearer = HTTPBearer()
# Says whose limits count, and lets nobody in.
protect(app, identify=JwtSubject(key=SECRET, algorithms=["HS256"], audience=AUDIENCE, tier="plan"))


def subject(token: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> str:
    """Let nobody in without a valid token."""
    try:
        return str(jwt.decode(token.credentials, SECRET, algorithms=["HS256"], audience=AUDIENCE)["sub"])
    except (jwt.InvalidTokenError, KeyError) as error:
        raise HTTPException(401) from error


@app.get("/answers")
@policy(limits=[TokenBucket(PLANS, name="plan")])
async def answers(user: Annotated[str, Depends(subject)]) -> dict[str, str | int]:
    """Answer whoever has a plan."""
    return {"user": user, "answer": 42}


if __name__ == "__main__":
    name, plan = sys.argv[1:3]
    claims = {"sub": name, "plan": plan, "aud": AUDIENCE, "exp": time.time() + 3600}
    print(jwt.encode(claims, SECRET, algorithm="HS256"))  # noqa: T201  that is the command's answer
