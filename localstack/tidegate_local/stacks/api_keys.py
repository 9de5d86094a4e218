"""The API keys of a stack, whatever its tiers are called: which output names a key, and which tier a key is of."""

from collections.abc import Mapping
from contextlib import closing

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import cloud
from tidegate_local.errors import DeploymentError


def output_of(tier: str) -> str:
    """Name the stack's output that has the id of a tier's key, as `StageStack` of tidegate-cdk does."""
    return "".join(word.title() for word in tier.split("-")) + "KeyId"


def read(endpoint_url: str, outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the value of each key that a stack's outputs name, by its tier, in the order of the outputs.

    A key's name is the API's with the tier behind it.

    Raises:
        DeploymentError: the engine doesn't show them.
    """
    with closing(cloud.client("apigateway", endpoint_url)) as gateway:
        try:
            api = gateway.get_rest_api(restApiId=outputs["ApiId"])["name"]
            pages = gateway.get_paginator("get_api_keys").paginate(includeValues=True)
            keys = {key["id"]: key for page in pages for key in page["items"]}
        except (BotoCoreError, ClientError) as error:
            raise DeploymentError(
                f"The engine doesn't show the API's keys ({error}). `make down && make up` starts anew."
            ) from error
    return {key["name"].removeprefix(f"{api}-"): key["value"] for key in map(keys.get, outputs.values()) if key}
