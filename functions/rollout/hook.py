"""The Lambda handler that CodeDeploy calls before it shifts any traffic; `codedeploy` does the work."""

import logging
import os
from typing import Any

from functions.rollout import last_word, signed

try:
    from functions.rollout import codedeploy
except BaseException as error:  # noqa: BLE001  # whatever the error is, CodeDeploy waits for a status
    broken: BaseException | None = error
else:
    broken = None


def handler(event: dict[str, Any], context: Any) -> None:
    """Handle CodeDeploy's call, with its `DeploymentId` and `LifecycleEventHookExecutionId`.

    Whatever fails, CodeDeploy gets a status: without one it would wait for an hour.
    """
    try:
        _handle(event, context)
    except BaseException:
        _refuse(event)
        raise


def _handle(event: dict[str, Any], context: Any) -> None:
    if broken is not None:
        raise RuntimeError(last_word.reason(broken)) from broken
    codedeploy.handler(event, context)


def _refuse(event: dict[str, Any]) -> None:
    try:
        signed.refuse(event, os.environ)
    except Exception:  # the first error is the cause, and is raised; this one may only say that a status was there
        logging.getLogger(__name__).exception("CodeDeploy wasn't told of the failure")
