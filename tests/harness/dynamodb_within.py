"""The embedded engine's DynamoDB inside of this process: no socket, a fraction of a millisecond for a call.

For state machines of hypothesis, which make thousands of calls; what is sent and parsed is botocore's, as ever.
"""

import json
import threading
import uuid
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from ministack.services import dynamodb

# The engine serves one request after the other.
_one_at_a_time = threading.Lock()


class DynamoWithin:
    """Tables of a test's own; what `DynamoServer` offers of the kind, without a process."""

    def __init__(self) -> None:
        self._client = self.client()

    def client(self) -> Any:
        """A boto3 client of it, without retries."""
        made = boto3.client(
            "dynamodb",
            endpoint_url="http://within.invalid",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        made.meta.events.register("before-send.dynamodb", _answer)
        return made

    def create_table(self, prefix: str = "table", *, partition_key: str = "pk", **kinds: str) -> str:
        """A new table; `kinds` are the types of its key attributes if they aren't one string. Returns its name."""
        name, kinds = f"{prefix}-{uuid.uuid4().hex}", kinds or {partition_key: "S"}
        self._client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": part, "AttributeType": kind} for part, kind in kinds.items()],
            KeySchema=[
                {"AttributeName": part, "KeyType": kind} for part, kind in zip(kinds, ("HASH", "RANGE"), strict=False)
            ],
        )
        return name

    def create_library_table(self) -> str:
        """A new table in the library's form; returns its name."""
        return self.create_table("tidegate")

    def drop_table(self, name: str) -> None:
        self._client.delete_table(TableName=name)

    def items(self, table: str) -> list[dict[str, Any]]:
        """All items."""
        pages = self._client.get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]


def _answer(request: Any, **_: Any) -> AWSResponse:
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
    }
    answered = dynamodb.handle_request("POST", "/", headers, request.body, {})
    try:
        with _one_at_a_time:
            answered.send(None)
    except StopIteration as end:  # it waits for nothing
        status, fields, body = end.value
    return _Whole(request.url, status, fields, body if isinstance(body, bytes) else json.dumps(body).encode())


class _Whole(AWSResponse):
    """An answer that has come whole."""

    def __init__(self, url: str, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(url, status, headers, None)
        self._content = body
