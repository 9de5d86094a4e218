"""The public API as a type checker sees it, in a user's own project: strict, and without an ignore."""

import subprocess
import sys
from pathlib import Path

import pytest

# A user's eight lines.
GOOD = """\
from fastapi import Depends, FastAPI
from tidegate import Admitted, Policy, Tiers, TokenBucket, limited, policy, protect

app = FastAPI()
plans = TokenBucket(Tiers({"free": "10/s", "pro": "100/s"}, default="free"), name="api")
gate = protect(app, default=Policy(limits=[TokenBucket("50/s")]), policies={"/admin": Policy(limits=[plans])})

@app.get("/left", dependencies=[Depends(limited("10/s"))])
async def left(admitted: Admitted) -> str:
    return admitted.route

@app.post("/payments/{account}")
@policy(limits=[TokenBucket("20/s", burst=40)], idempotent=True, priority="critical", on_outage="share")
async def pay(account: str, amount: int) -> dict[str, int]:
    return {account: amount}
"""

# What is known of a decorated handler, of its admission, of health and of errors.
KNOWN = """\
from typing import assert_type

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from tidegate import (
    Admission, Caller, Claim, ConfigurationError, Exemption, Gate, Health, Policy, ProblemError, Refusal, Settings,
    SlidingWindow, StoreHealth, TokenBucket, policy, protect,
)

app = FastAPI()
gate = protect(app, default=Policy(limits=(TokenBucket("1/s"),)), settings=Settings(memory_only=True))
assert_type(gate, Gate)

@policy(limits=[TokenBucket("5/min", name="writes")], claims="redis", lifetime="1h")
def handler(request: Request, number: int) -> str:
    admission: Admission = request.state.tidegate
    assert_type(admission.claim, Claim | None)
    if admission.claim is not None:
        assert_type(admission.claim.pk, str)
    raise ProblemError(status=409, type="out-of-stock", title="Out of stock", product="p1")

async def report() -> list[StoreHealth]:
    health = await gate.health()
    assert_type(health, Health)
    return list(health.stores)

def own(refusal: Refusal) -> Response | None:
    return JSONResponse({"error": refusal.title}, refusal.status) if refusal.retry_after_s else None

def protected(other: FastAPI) -> Gate:
    exempt = [Exemption(paths=["/health"], methods=["GET"])]
    return protect(other, exempt=exempt, refusal={429: own}, default=Policy(idempotent=False))

def by_plan(caller: Caller) -> str:
    return "1/s" if caller.tier is None else "10/s"

@policy(limits=[SlidingWindow(by_plan, name="plan")], idempotent="optional")
async def optional() -> None: ...

def start() -> str | None:
    try:
        return Settings.from_environ({}).table
    except ConfigurationError as error:
        return error.name
"""

# Each line that ends in a comment must be refused with that code, and no other line.
BAD = """\
from fastapi import FastAPI, Request
from tidegate import Policy, TokenBucket, policy, protect

app = FastAPI()
protect("app")  # arg-type
TokenBucket(20)  # arg-type
TokenBucket("20/s", burst="40")  # arg-type
policy(priority="urgent")  # arg-type
policy(on_outage="panic")  # arg-type
policy([TokenBucket("1/s")])  # call-arg
Policy(limits=(TokenBucket("1/s"),)).limits = ()  # misc

@policy(idempotent=True)
async def pay(account: str) -> int:
    return len(account)

protect(app, policies={"/admin": TokenBucket("1/s")})  # dict-item
protect(app, refusal=pay)  # arg-type

async def call() -> str:
    return await pay("account")  # return-value

async def call_wrongly() -> int:
    return await pay(7)  # arg-type
"""

SNIPPETS = {"good.py": GOOD, "known.py": KNOWN, "bad.py": BAD}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> dict[str, list[tuple[int, str]]]:
    """mypy's errors as (line, code) by file; one run for all, because its start is what takes the time."""
    folder = tmp_path_factory.mktemp("project")
    for name, text in SNIPPETS.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "mypy.ini").write_text("[mypy]\nstrict = true\nshow_error_end = false\n", encoding="utf-8")
    cache = Path(pytestconfig.cache.mkdir("mypy")) if pytestconfig.cache else folder / "cache"
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", str(cache), *SNIPPETS],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    errors: dict[str, list[tuple[int, str]]] = {name: [] for name in SNIPPETS}
    for line in done.stdout.splitlines():
        if ": error: " in line:
            place, _, message = line.partition(": error: ")
            name, number = place.split(":")[:2]
            errors[name].append((int(number), message.rpartition("[")[2].rstrip("]")))
    return errors


@pytest.mark.parametrize("name", ["good.py", "known.py"])
def test_a_users_code_is_typed_without_an_error(found, name):
    assert found[name] == []


def test_a_users_mistakes_are_found_where_they_are(found):
    expected = [
        (number, line.partition("  # ")[2]) for number, line in enumerate(BAD.splitlines(), 1) if "  # " in line
    ]
    assert found["bad.py"] == expected
