"""The function that migrates an application's tables, as settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_lambda as lambda_


@dataclass(frozen=True)
class Migrations:
    """A function that releases call to expand a schema before any traffic, and to contract it afterwards.

    `handler` is in the API's own `code` and beside its `layers` where these are None. It has no alias: what migrates to
    the new code is the new code's. It is in no network, for DynamoDB is all that it calls.
    """

    handler: str
    code: lambda_.Code | None = None
    layers: Sequence[lambda_.ILayerVersion] | None = None
    timeout_s: int = 60
