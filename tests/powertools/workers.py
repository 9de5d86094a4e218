"""What each of many threads in many processes calls; module-level, so that processes can be told of it."""

import os
import time
from pathlib import Path

from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyAlreadyInProgressError

from tests.harness.lambda_events import LambdaContext
from tests.harness.processes import Worker
from tidegate import Settings
from tidegate.powertools import TidegatePersistenceLayer


def layer_of_the_process(settings: Settings, *_: object) -> TidegatePersistenceLayer:
    """One layer for all threads of a process."""
    return TidegatePersistenceLayer(settings)


def pay_all(worker: Worker, _: Settings, till: Path, orders: list[str]) -> list[str | None]:
    """Pay each order; None where it is just being paid by another one."""

    @idempotent(persistence_store=worker.shared, config=IdempotencyConfig())
    def pay(event, context):
        receipt = f"{event} {os.getpid()} {time.monotonic_ns()}"
        with till.open("a") as lines:  # one short line is appended at once
            lines.write(receipt + "\n")
        return receipt

    return [paid(pay, order) for order in orders]


def paid(pay, order: str) -> str | None:
    try:
        receipt: str = pay(order, LambdaContext(timeout_ms=60_000))
    except IdempotencyAlreadyInProgressError:
        return None
    return receipt
