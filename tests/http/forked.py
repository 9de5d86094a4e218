"""A server process that has answered before it forks, as `gunicorn --preload` does; each child answers by itself.

    python -m tests.http.forked

It prints a line of JSON for each child: what its requests were answered, and under which name it asked Redis.
"""

import asyncio
import json
import os
import random
import signal
import sys
import threading

import httpx
from fastapi import FastAPI

from tidegate import Cache, TokenBucket, policy, protect

_GIVEN_UP_AFTER_S = 20

app = FastAPI()
gate = protect(app)


@app.get("/products")
@policy(limits=[TokenBucket("1000/s")], cache=Cache("1s"))
async def products():
    return ["p1"]


@app.post("/orders")
@policy(limits=[TokenBucket("1000/s")], idempotent=True)
async def order():
    return "ordered"


async def asked(key: str) -> list[int]:
    transport = httpx.ASGITransport(app, client=("192.0.2.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        answers = [await client.get("/products"), await client.post("/orders", headers={"idempotency-key": key})]
        return [answer.status_code for answer in answers]


def child(number: int) -> None:
    signal.alarm(_GIVEN_UP_AFTER_S)  # a child that waits for a thread that it doesn't have is ended, and seen
    first = asyncio.run(asked(f"child-{number}"))
    environment = gate._lifecycle.environment
    name = environment.stores._handles[0].store._environment_id if environment.stores._handles else ""
    sys.stdout.write(json.dumps({"said": [first, name, random.random()]}) + "\n")
    sys.stdout.flush()
    gate.close()
    os._exit(0)


def main() -> int:
    assert asyncio.run(asked("parent")) == [200, 200]
    held = gate._lifecycle._lock
    held.acquire()  # as by a thread that is at it in the moment of the fork
    children = []
    for number in range(3):
        if not (process := os.fork()):
            child(number)
        children.append(process)
    held.release()
    codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in children]
    assert asyncio.run(asked("parent-again")) == [200, 200]
    gate.close()
    sys.stdout.write(json.dumps({"said": codes, "threads": threading.active_count()}) + "\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
