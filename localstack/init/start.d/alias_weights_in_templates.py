# ruff: noqa: INP001 - LocalStack executes this file, nobody imports it
"""Mends CloudFormation's AWS::Lambda::Alias with weights, on create and on update. LocalStack 4.14.0.

A template has AdditionalVersionWeights as a list of {FunctionVersion, FunctionWeight}; the API wants a map of version
to weight. `LambdaAliasProvider.create` hands the list on, and `update` isn't implemented at all.
"""

import inspect
import logging
from functools import wraps
from typing import Any

from localstack.services.cloudformation.resource_provider import OperationStatus, ProgressEvent
from localstack.services.lambda_.resource_providers.lambda_alias import LambdaAliasProvider

LOG = logging.getLogger("tidegate.init.alias_weights_in_templates")


def routing_of(model: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return the API's RoutingConfig for a template's; empty weights send all to the alias's version."""
    weights = (model.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or []
    return {
        "AdditionalVersionWeights": {str(each["FunctionVersion"]): float(each["FunctionWeight"]) for each in weights}
    }


def mend() -> None:
    """Replace both operations."""
    create_from_list = LambdaAliasProvider.create

    @wraps(create_from_list)
    def create(self: Any, request: Any) -> Any:
        in_template = request.desired_state.get("RoutingConfig")
        if in_template is None:
            return create_from_list(self, request)
        request.desired_state["RoutingConfig"] = routing_of(request.desired_state)
        event = create_from_list(self, request)
        # What is kept of the resource is compared with later templates.
        event.resource_model["RoutingConfig"] = in_template
        return event

    def update(_self: Any, request: Any) -> Any:
        model = request.desired_state
        names = {"FunctionName": model["FunctionName"], "Name": model["Name"]}
        lambda_ = request.aws_client_factory.lambda_
        updated = lambda_.update_alias(
            **names,
            FunctionVersion=model["FunctionVersion"],
            Description=model.get("Description", ""),
            RoutingConfig=routing_of(model),
        )
        model["Id"] = updated["AliasArn"]
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)

    LambdaAliasProvider.create = create
    LambdaAliasProvider.update = update


defective = "RoutingConfig" in inspect.getsource(LambdaAliasProvider.create) and (
    "raise NotImplementedError" in inspect.getsource(LambdaAliasProvider.update)
)
if defective:
    mend()
    LOG.info("CloudFormation's aliases have weights now.")
else:
    LOG.error(
        "THIS IS NOT THE LOCALSTACK THAT alias_weights_in_templates.py WAS WRITTEN FOR (4.14.0): AWS::Lambda::Alias "
        "was left as it is. If templates' weights work there, remove the script; else adapt it."
    )
