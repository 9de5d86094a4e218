"""What the controller works with: clients of Lambda, DynamoDB and Step Functions, made once in an environment."""

from __future__ import annotations

import functools
import os
from typing import Any, NamedTuple

from functions.rollout.aliases import Aliases
from functions.rollout.counted import Counting
from functions.rollout.ledger import Ledger
from functions.rollout.order import Order
from functions.rollout.smoke import Smoke


class Parts(NamedTuple):
    """The controller's hands and eyes, for one order."""

    aliases: Aliases
    ledger: Ledger
    smoke: Smoke
    counting: Counting
    invoke: Any


def parts(order: Order) -> Parts:
    """Put them together; the clients are shared by all calls in this environment."""
    functions = client("lambda")
    ledger = Ledger(_table(os.environ["TIDEGATE_TABLE"]), order.namespace)
    return Parts(Aliases(functions, order.alias), ledger, Smoke(functions), _counting(), functions.invoke)


@functools.cache
def client(service: Any) -> Any:
    """Make a client that waits for a version's cold start, and repeats nothing by itself: the machine does."""
    import boto3  # noqa: PLC0415  # heavy: not at import, so that what is pure here is imported without it
    from botocore.config import Config  # noqa: PLC0415  # see above

    config = Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 3, "mode": "standard"})
    return boto3.client(service, config=config)


@functools.cache
def _table(name: str) -> Any:
    import boto3  # noqa: PLC0415  # heavy: see above

    return boto3.resource("dynamodb").Table(name)


@functools.cache
def _counting() -> Counting:
    from functions.rollout.counts import stored_counts  # noqa: PLC0415  # what is pure here is imported without it

    return stored_counts()
