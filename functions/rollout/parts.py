"""The controller's clients of Lambda, DynamoDB, Step Functions and CloudWatch, made once in an environment."""

from __future__ import annotations

import functools
import os
from typing import Any, NamedTuple

from functions.rollout.aliases import Aliases
from functions.rollout.clock import now_s
from functions.rollout.counted import Counting
from functions.rollout.invoking import ANSWER_WITHIN_S
from functions.rollout.ledger import Ledger
from functions.rollout.order import Order
from functions.rollout.smoke import Smoke


class Parts(NamedTuple):
    """The controller's dependencies, for one order."""

    aliases: Aliases
    ledger: Ledger
    smoke: Smoke
    counting: Counting
    invoke: Any


def parts(order: Order) -> Parts:
    """Assemble them; the clients are shared by all calls in this environment."""
    ledger = Ledger(_table(os.environ["TIDEGATE_TABLE"]), order.namespace)
    smoke = Smoke(questioning(), order.checks)
    return Parts(Aliases(client("lambda"), order.alias), ledger, smoke, _counting(order), migrating().invoke)


def questioning() -> Any:
    """Make the client that checks versions: it gives up after `ANSWER_WITHIN_S`, and retries nothing."""
    return client("lambda", read_s=ANSWER_WITHIN_S, attempts=1)


def migrating() -> Any:
    """Make the client that calls `migrate`, which takes a minute at most; the machine repeats a lost call."""
    return client("lambda", read_s=65, attempts=1)


@functools.cache
def client(service: Any, read_s: int = 20, attempts: int = 3) -> Any:
    """Make a client with this read timeout, in seconds, and this number of attempts."""
    import boto3  # noqa: PLC0415  # heavy: not at import, so that pure modules are imported without it
    from botocore.config import Config  # noqa: PLC0415  # see above

    retries: Any = {"total_max_attempts": attempts, "mode": "standard"}
    # As many connections as environments that are warmed at once.
    config = Config(connect_timeout=5, read_timeout=read_s, retries=retries, max_pool_connections=50)
    return boto3.client(service, config=config)


@functools.cache
def _table(name: str) -> Any:
    import boto3  # noqa: PLC0415  # heavy: see above
    from botocore.config import Config  # noqa: PLC0415  # see above

    retries: Any = {"total_max_attempts": 3, "mode": "standard"}
    config = Config(connect_timeout=5, read_timeout=10, retries=retries)
    return boto3.resource("dynamodb", config=config).Table(name)


def _counting(order: Order) -> Counting:
    if order.metrics is None:
        return _stored()
    from functions.rollout.counts_in_cloudwatch import MetricCounts  # noqa: PLC0415  # only where there are no others

    return MetricCounts(client("cloudwatch"), order.metrics, order.alias, now_s())


@functools.cache
def _stored() -> Counting:
    from functions.rollout.counts import stored_counts  # noqa: PLC0415  # pure modules are imported without it

    return stored_counts()
