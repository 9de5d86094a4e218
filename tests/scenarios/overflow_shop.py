"""The application of the overflow run: each export has one effect, fenced by its claim, and some hang on purpose.

`HANGS_AFTER` says after how many runs in workers the next one hangs until its process is killed: the first before its
effect, the second after it, and so on.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from fastapi import FastAPI, Request

from tidegate import Policy, TokenBucket, policy, protect

EFFECTS, RUNS = os.environ["EFFECTS"], Path(os.environ["RUNS"])
HANGS_AFTER = [int(runs) for runs in os.environ.get("HANGS_AFTER", "").split(",") if runs]
LIMIT = TokenBucket(os.environ["RATE"], per="route")
_WORK_S = 0.02

app = FastAPI(title="Exports")
gate = protect(app, default=Policy(), requests="/v1/requests")
_dynamodb = boto3.client("dynamodb", config=Config(read_timeout=20, retries={"total_max_attempts": 3}))


@app.get("/health")
async def health() -> str:
    return "ok"


@app.post("/exports/{number}", status_code=201)
@policy(limits=[LIMIT], idempotent=True, overflow="queue")
def export(number: int, request: Request) -> dict[str, Any]:
    claim = request.state.tidegate.claim
    _note(f"begun {number} {os.getpid()}")
    hang = _hang_due()
    if hang is not None and hang % 2 == 0:
        _hang(number)
    time.sleep(_WORK_S)
    _have_effect(number, claim)
    if hang is not None:
        _hang(number)
    return {"number": number, "principal": request.state.tidegate.principal}


def _have_effect(number: int, claim: Any) -> None:
    """Count it once: under the claim, and never on top of what an earlier run has done."""
    mine = {
        "TableName": claim.table,
        "Key": {"pk": {"S": claim.pk}},
        "ConditionExpression": "attempt_id = :mine",
        "ExpressionAttributeValues": {":mine": {"S": claim.attempt_id}},
    }
    effect = {"pk": {"S": str(number)}, "at": {"N": str(time.monotonic_ns())}}
    put = {"TableName": EFFECTS, "Item": effect, "ConditionExpression": "attribute_not_exists(pk)"}
    try:
        _dynamodb.transact_write_items(TransactItems=[{"ConditionCheck": mine}, {"Put": put}])
    except _dynamodb.exceptions.TransactionCanceledException as error:
        codes = [reason.get("Code") for reason in error.response["CancellationReasons"]]
        if codes != ["None", "ConditionalCheckFailed"]:
            raise
        _note(f"found {number} {os.getpid()}")


def _note(line: str) -> None:
    with RUNS.open("a") as runs:  # one short line is appended at once
        runs.write(f"{line}\n")


def _hang_due() -> int | None:
    """Return which hang is due, to one run alone."""
    begun = RUNS.read_text().count("begun ") if HANGS_AFTER else 0
    for hang, after in enumerate(HANGS_AFTER):
        if begun >= after:
            with suppress(FileExistsError):
                RUNS.with_name(f"hang-{hang}").touch(exist_ok=False)
                return hang
    return None


def _hang(number: int) -> None:
    _note(f"hangs {number} {os.getpid()}")
    time.sleep(600)
