"""An application that caches nothing imports nothing of the cache's: a cold start pays for what it uses."""

import subprocess
import sys

PROGRAM = """
import asyncio, sys
from fastapi import FastAPI
from tests.http.wire import call
from tidegate import Settings, TokenBucket, policy, protect

app = FastAPI()

@app.get("/a")
@policy(limits=[TokenBucket("10/s")])
async def a(): return []

protect(app, settings=Settings(redis_url="redis://127.0.0.1:1/0", decision_budget_ms=3000))
asyncio.run(call(app, "GET", "/a"))
print([name for name in sys.modules if "cach" in name and name.startswith("tidegate.")])
"""


def test_a_request_of_an_uncached_route_imports_nothing_of_the_cache():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
