"""An application imports nothing of mechanisms that it has not asked for: a cold start pays for what it uses."""

import subprocess
import sys

import pytest

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
print([name for name in sys.modules if "WORD" in name and name.startswith("tidegate.")])
"""


@pytest.mark.parametrize("word", ["cach", "outcomes", "snapstart", "shutdown"])
def test_a_plain_request_imports_none_of_it(word):
    program = PROGRAM.replace("WORD", word)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
