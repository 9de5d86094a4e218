"""What a browser asks before a page of another origin may call: answered by the edge, without a key or a function."""

from typing import Any

from aws_cdk import aws_apigateway as apigateway

from tidegate_cdk.api.cors import Cors
from tidegate_cdk.api.methods import VERBS

_ALLOW = "method.response.header.Access-Control-Allow"
_VARY = "method.response.header.Vary"


def add_preflights(api: apigateway.RestApi, cors: Cors) -> None:
    """Answer OPTIONS on every path that has methods: a preflight carries no key, and ANY wants one."""
    for child in list(api.node.find_all()):
        if isinstance(child, apigateway.Resource) and child.node.try_find_child("ANY"):
            _add_preflight(child, cors)


def _add_preflight(resource: apigateway.Resource, cors: Cors) -> None:
    if resource.node.try_find_child("OPTIONS"):
        resource.node.try_remove_child("OPTIONS")  # a throttle's: the stage has its settings all the same
    headers = {
        f"{_ALLOW}-Origin": f"'{cors.origins[0]}'",
        f"{_ALLOW}-Methods": f"'{','.join(VERBS)}'",
        f"{_ALLOW}-Headers": f"'{','.join(cors.headers)}'",
        "method.response.header.Access-Control-Max-Age": f"'{cors.max_age_s}'",
        _VARY: "'Origin'",
    }
    answered = resource.add_method(
        "OPTIONS",
        apigateway.MockIntegration(
            # The edge takes every body for bytes, and the template below is text.
            content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
            passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
            request_templates={"application/json": '{"statusCode": 204}'},
            integration_responses=[
                apigateway.IntegrationResponse(
                    status_code="204",
                    response_parameters=headers,
                    response_templates={"application/json": _of_the_one_that_asks(cors)},
                )
            ],
        ),
        api_key_required=False,
        method_responses=[
            apigateway.MethodResponse(status_code="204", response_parameters=dict.fromkeys(headers, True))
        ],
    )
    # The path's own default would ask for a token, and a preflight carries none.
    method: Any = answered.node.default_child
    method.add_property_override("AuthorizationType", "NONE")
    method.add_property_deletion_override("AuthorizerId")


def _of_the_one_that_asks(cors: Cors) -> str:
    """Name the origin that asks if it is one of those; the first one otherwise, which isn't its own."""
    if len(cors.origins) == 1:
        return ""
    named = " || ".join(f'$origin == "{origin}"' for origin in cors.origins)
    return (
        '#set($origin = $input.params().header.get("Origin"))'
        '#if(!$origin)#set($origin = $input.params().header.get("origin"))#end'
        f"#if({named})#set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)#end"
    )
