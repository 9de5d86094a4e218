"""A DynamoDB API as a process: the embedded engine with that service and SQS, on a port of its own."""

import contextlib
import itertools
import os
import shutil
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from tests.harness.ports import free_port
from tests.harness.server_process import ServerProcess, SignalledServer

_START_DEADLINE_S = 20.0
_SERIAL = itertools.count(1)


class DynamoServer(SignalledServer):
    """The engine, serving DynamoDB and SQS only; a context manager that starts it and always ends it.

    Tables live in memory: after `kill` and `start` it has the same port and no table.
    """

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="dynamodb-"))
        self._process = ServerProcess(
            [os.environ.get("TIDEGATE_TEST_MINISTACK_PYTHON", sys.executable), "-m", "ministack"],
            log=self.folder / "engine.log",
            env=os.environ
            | {
                "BIND_HOST": self.host,
                "GATEWAY_PORT": str(self.port),
                "SERVICES": "dynamodb,sqs",
                "IOT_MTLS_ENABLED": "0",  # else it listens on 0.0.0.0:8883 whatever SERVICES says
                "PERSIST_STATE": "0",
                "LOG_LEVEL": "WARNING",
                "TMPDIR": str(self.folder),
            },
        )

    @property
    def endpoint_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Starts it and returns when ListTables answers; RuntimeError with the log's tail otherwise."""
        self._process.launch()
        self._process.wait_until(self._answers, deadline_s=_START_DEADLINE_S)

    def client(self, *, endpoint_url: str | None = None, **config: Any) -> Any:
        """A boto3 DynamoDB client, without retries and with timeouts of 5 s unless `config` says otherwise.

        `endpoint_url` leads it through a proxy. The caller closes it (`contextlib.closing`).
        """
        defaults: dict[str, Any] = {
            "connect_timeout": 5,
            "read_timeout": 5,
            "retries": {"total_max_attempts": 1},
            "max_pool_connections": 64,
        }
        return boto3.client(
            "dynamodb",
            endpoint_url=endpoint_url or self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(**(defaults | config)),
        )

    def create_table(self, prefix: str = "table", *, partition_key: str = "pk") -> str:
        """A new on-demand table with a string partition key; returns its name, which nobody else has."""
        name = f"{prefix}-{os.getpid()}-{next(_SERIAL)}-{uuid.uuid4().hex[:8]}"
        client = self.client()
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": partition_key, "AttributeType": "S"}],
            KeySchema=[{"AttributeName": partition_key, "KeyType": "HASH"}],
        )
        client.close()
        return name

    def create_library_table(self) -> str:
        """A new table in the library's form (partition key `pk`, TTL on `expires_at`); returns its name."""
        name = self.create_table("tidegate")
        client = self.client()
        client.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"},
        )
        client.close()
        return name

    def drop_table(self, name: str) -> None:
        """Deletes it, if it is there: one that was killed has no table any more."""
        client = self.client()
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            client.delete_table(TableName=name)
        client.close()

    def items(self, table: str) -> list[dict[str, Any]]:
        """All items, consistently read, in DynamoDB's own JSON."""
        client = self.client()
        pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        found = [item for page in pages for item in page["Items"]]
        client.close()
        return found

    def log_tail(self) -> str:
        return self._process.log_tail()

    def close(self) -> None:
        """Ends it for good and removes its folder."""
        self._process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        client = self.client(connect_timeout=1, read_timeout=5)
        try:
            client.list_tables()
        except BotoCoreError:
            return False
        finally:
            client.close()
        return True
