# ruff: noqa: INP001 - LocalStack executes this file, nobody imports it
"""Gives API Gateway's own refusals the body and the headers that the API declares for them. LocalStack 4.14.0.

Gateway responses are stored, but only their status is used (`GatewayExceptionHandler._build_response_content` and
`_build_response_headers`: "TODO apply"). Their templates know variables alone, no Velocity.
"""

import json
import logging
import re
from typing import Any

from localstack.services.apigateway.next_gen.execute_api.gateway_response import get_gateway_response_or_default
from localstack.services.apigateway.next_gen.execute_api.handlers.gateway_exception import GatewayExceptionHandler

LOG = logging.getLogger("tidegate.init.gateway_responses")
VARIABLE = re.compile(r"\$context\.((?:\w+\.)*\w+)")
HEADER = "gatewayresponse.header."


def filled_in(template: str, context: dict[str, Any]) -> str:
    """Fill in the variables of a template; one that isn't known is empty, as at AWS."""

    def value(found: re.Match[str]) -> str:
        here: Any = context
        for name in found[1].split("."):
            here = here.get(name, "") if isinstance(here, dict) else ""
        # AWS's messageString is the message in quotes.
        return json.dumps(here) if found[1] == "error.messageString" else str(here)

    return VARIABLE.sub(value, template)


def literal_headers(parameters: dict[str, str]) -> dict[str, str]:
    """Return the headers that are given as literals, in single quotes."""
    return {
        name.removeprefix(HEADER): value[1:-1]
        for name, value in parameters.items()
        if name.startswith(HEADER) and value.startswith("'")
    }


def mend(handler: type[GatewayExceptionHandler]) -> None:
    """Apply what is declared to what LocalStack answers."""
    answered = handler.create_exception_response

    def create_exception_response(self: GatewayExceptionHandler, exception: Any, context: Any) -> Any:
        response = answered(self, exception, context)
        declared = get_gateway_response_or_default(exception.type, context.deployment.rest_api.gateway_responses)
        if template := (declared.get("responseTemplates") or {}).get("application/json"):
            response.set_data(filled_in(template, context.context_variables))
        for name, value in literal_headers(declared.get("responseParameters") or {}).items():
            response.headers[name] = value
        return response

    handler.create_exception_response = create_exception_response


if {"create_exception_response", "_build_response_content"} <= set(vars(GatewayExceptionHandler)):
    mend(GatewayExceptionHandler)
    LOG.info("Gateway responses have their bodies and headers now.")
else:
    LOG.error(
        "THIS IS NOT THE LOCALSTACK THAT gateway_responses.py WAS WRITTEN FOR (4.14.0): gateway responses were left as "
        "they are. If their templates are applied there, remove the script; else adapt it."
    )
