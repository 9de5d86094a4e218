"""The application whose effects are counted: each is an increment in DynamoDB, fenced by the claim or not."""

import os
from typing import Any

import boto3
from botocore.config import Config
from fastapi import FastAPI, Request

from tidegate import Settings, lambda_handler, policy, protect

# Far above what a loaded machine needs: this is about losing Redis, not about losing patience with it.
AMPLE_MS = 3000


def till(redis_url: str, table: str, effects: str) -> Any:
    """One environment's handler: its own application, clients and connections."""
    app = FastAPI()
    protect(app, settings=Settings(redis_url=redis_url, table=table, decision_budget_ms=AMPLE_MS, on_lambda=True))
    client = boto3.client("dynamodb", config=Config(read_timeout=20, retries={"total_max_attempts": 1}))
    serial = iter(range(1_000_000))

    def receipt(number: int, request: Request) -> dict[str, Any]:
        store = request.state.tidegate.store
        return {"number": number, "by": f"{os.getpid()}-{next(serial)}", "store": store}

    @app.post("/plain/{number}", status_code=201)
    @policy(idempotent=True)
    def plain(number: int, request: Request) -> dict[str, Any]:
        client.update_item(**_increment(effects, number))
        return receipt(number, request)

    @app.post("/fenced/{number}", status_code=201)
    @policy(idempotent=True)
    def fenced(number: int, request: Request) -> dict[str, Any]:
        claim = request.state.tidegate.claim
        mine = {
            "TableName": claim.table,
            "Key": {"pk": {"S": claim.pk}},
            "ConditionExpression": "attempt_id = :mine",
            "ExpressionAttributeValues": {":mine": {"S": claim.attempt_id}},
        }
        client.transact_write_items(TransactItems=[{"ConditionCheck": mine}, {"Update": _increment(effects, number)}])
        return receipt(number, request)

    return lambda_handler(app)


def _increment(table: str, number: int) -> dict[str, Any]:
    return {
        "TableName": table,
        "Key": {"pk": {"S": str(number)}},
        "UpdateExpression": "ADD effects :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
