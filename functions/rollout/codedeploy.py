"""CodeDeploy's hook: before it shifts any traffic, the schema is expanded and the versions are asked.

CodeDeploy calls it for each function's deployment, and each time it asks about all of them: they are the same
application, and repeating the questions does no harm.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from functions.rollout.aliases import Aliases
from functions.rollout.begin import goes_back
from functions.rollout.migration import Migration, MigrationError
from functions.rollout.order import Order
from functions.rollout.parts import client
from functions.rollout.readiness import faults
from functions.rollout.smoke import Smoke

# So much of the function's time is left to the questions.
_QUESTIONS_S = 300.0
_BETWEEN_S = 1.0


def handler(event: dict[str, Any], context: Any) -> None:
    """Answer CodeDeploy's call: `DeploymentId` and `LifecycleEventHookExecutionId`."""
    refused = refusal(event["DeploymentId"], lambda: context.get_remaining_time_in_millis() / 1000)
    report(client("codedeploy"), event, refused)


def refusal(deployment: str, left_s: Callable[[], float]) -> str | None:
    """Say why no traffic may come, whatever the reason; None: it may."""
    try:
        order = Order.of(json.loads(os.environ["TIDEGATE_ORDER"]))
        return asked(order, client("lambda"), deployment, left_s)
    except Exception as error:  # noqa: BLE001  # without an answer CodeDeploy would wait for an hour
        return f"The questions failed. {type(error).__name__}: {error}"


def asked(order: Order, functions: Any, deployment: str, left_s: Callable[[], float]) -> str | None:
    """Expand on the deployment's behalf, and ask (a boto3 client of Lambda); return why not, or None.

    Raises:
        MigrationError: a migration failed, or it takes longer than this function may.
    """
    stable = Aliases(functions, order.alias).in_force(order.targets)
    if goes_back(order, stable):
        return None  # what has served before comes back unasked: the version in force may be the ill one
    schema = _expanded(Migration(functions.invoke, order.migrate), deployment, left_s) if order.migrate else None
    found = faults(order, stable, schema, Smoke(functions))
    return "Not ready. " + " ".join(found) if found else None


def report(codedeploy: Any, event: Mapping[str, str], refused: str | None) -> None:
    """Tell CodeDeploy (a boto3 client) how it ended; a reason it takes none of, so that this is in the log."""
    if refused:
        logging.getLogger(__name__).error("%s: %s", event["DeploymentId"], refused)
    codedeploy.put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status="Failed" if refused else "Succeeded",
    )


def _expanded(migration: Migration, deployment: str, left_s: Callable[[], float]) -> int:
    """Run the expand migrations that are due to their end, and return the schema that is then in force."""
    while left_s() > _QUESTIONS_S:
        told = migration.run("expand", deployment)
        if told.status == "done":
            return told.schema
        time.sleep(_BETWEEN_S)  # the other deployment's hook may have the lock
    raise MigrationError("The expansion takes longer than a hook may. It goes on at the next deployment.")
