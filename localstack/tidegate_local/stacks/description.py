"""A stack as CloudFormation describes it."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local.errors import DeploymentError

Description = Mapping[str, Any]


def described(client: Any, stack: str) -> Description | None:
    """Describe a stack (a boto3 client of CloudFormation); None: there is none.

    Raises:
        DeploymentError: CloudFormation doesn't answer, or not this caller.
    """
    try:
        found: list[Description] = client.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if is_absent(error):
            return None
        raise DeploymentError(
            f"The stack {stack} can't be read: {error.response['Error'].get('Message', error)}. Are these the "
            "credentials of its account? `make doctor` shows whose they are."
        ) from error
    except BotoCoreError as error:
        raise DeploymentError(
            f"CloudFormation stopped answering ({error}). On the local cloud `make up` starts it again."
        ) from error
    return found[0] if found and found[0]["StackStatus"] != "DELETE_COMPLETE" else None


def is_absent(error: ClientError) -> bool:
    """Whether an error is CloudFormation's way to say that there is no such stack."""
    about = error.response.get("Error", {})
    return about.get("Code") == "ValidationError" and "does not exist" in about.get("Message", "")


def status_of(found: Description | None) -> str | None:
    """Return its status; None: there is no stack."""
    return None if found is None else str(found["StackStatus"])


def outputs_of(found: Description | None) -> dict[str, str]:
    """Return its outputs by name."""
    return {output["OutputKey"]: output["OutputValue"] for output in (found or {}).get("Outputs", [])}
