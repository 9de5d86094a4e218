"""The Lambda handler: CloudFormation's requests, and the calls of the machine that it starts."""

from typing import Any

from functions.rollout import begin, states


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001  # Lambda's signature
    """Begin a release, or do the work of one of its states."""
    if "RequestType" in event:
        return {"said": begin.begin(event)}
    return states.run(event["action"], event["document"])
