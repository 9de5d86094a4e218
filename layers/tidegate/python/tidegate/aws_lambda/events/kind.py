"""An event's sender, by the event's shape. An event that isn't an HTTP request is described for the log.

Sources: "Input format of a Lambda function for proxy integration" (REST APIs), "Create AWS Lambda proxy integrations
for HTTP APIs", "Invoking Lambda function URLs" and "Use Lambda functions as targets of an Application Load Balancer".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tidegate.errors import UnsupportedEventError

EventKind = Literal["rest", "http", "alb"]

TAKEN = "requests of API Gateway (REST and HTTP APIs), function URLs and Application Load Balancers"
_MOST_NAMES = 8


class MalformedEventError(Exception):
    """An event of a known kind is no possible HTTP request; the response is a 400."""


def kind_of(event: Any) -> EventKind:
    """Return an event's kind: `rest` (payload 1.0), `http` (payload 2.0, and function URLs) or `alb`.

    Raises:
        UnsupportedEventError: it isn't an HTTP request.
        MalformedEventError: it is one, but lacks a member that all have.
    """
    if not isinstance(event, dict) or ("type" in event and ("methodArn" in event or "routeArn" in event)):
        raise UnsupportedEventError("lambda_handler", TAKEN, described(event))
    raw_context = event.get("requestContext")
    context = raw_context if isinstance(raw_context, dict) else {}
    if "elb" in context:
        return "alb"
    if isinstance(context.get("http"), dict) and "httpMethod" not in event:
        return "http"
    if event.get("version") == "2.0" and ("http" in context or "rawPath" in event):
        raise MalformedEventError("Its requestContext.http is no object.")
    if "httpMethod" in event:
        if not isinstance(raw_context, dict | None):
            raise MalformedEventError("Its requestContext is no object.")
        return "rest"
    raise UnsupportedEventError("lambda_handler", TAKEN, described(event))


def described(event: Any) -> str:
    """Return a description of an event's shape, without its content."""
    if not isinstance(event, Mapping):
        return f"a JSON {_json_type(event)}"
    if not event:
        return "an empty object, such as a console's test event"
    return _of_records(event) or _of_service(event) or f"an object with {_names(event)}"


def _of_records(event: Mapping[str, Any]) -> str | None:
    records = event.get("Records")
    if not isinstance(records, list):
        return None
    first = records[0] if records and isinstance(records[0], Mapping) else {}
    if "cf" in first:
        return "an event of CloudFront (Lambda@Edge)"
    source = first.get("eventSource") or first.get("EventSource")
    return f"a batch of records of {_named(source)}" if isinstance(source, str) else "a batch of records"


def _of_service(event: Mapping[str, Any]) -> str | None:
    if "detail-type" in event:
        return f"an event of EventBridge ({_named(event['detail-type'])})"
    if "StackId" in event and "RequestType" in event:
        return "a CloudFormation custom resource's event"
    if "methodArn" in event or "routeArn" in event:
        return "a question for a Lambda authorizer"
    context = event.get("requestContext")
    if isinstance(context, Mapping) and "connectionId" in context:
        return "an event of a WebSocket API"
    if isinstance(context, Mapping) and "serviceNetworkArn" in context:
        return "an event of VPC Lattice"
    return None


def _names(event: Mapping[str, Any]) -> str:
    names = sorted(map(_named, event))
    return ", ".join(names[:_MOST_NAMES]) + (" and more" if len(names) > _MOST_NAMES else "")


def _named(value: object) -> str:
    return repr(value[:64]) if isinstance(value, str) else f"a {type(value).__name__}"


def _json_type(event: object) -> str:
    match event:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case _:
            return "array"
