"""The edge's own answers as problem+json (RFC 9457), with Retry-After wherever trying again helps."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_apigateway as apigateway
from constructs import Construct

from tidegate_cdk.known import matches
from tidegate_cdk.setting_error import SettingError

_REGISTERED = "https://iana.org/assignments/http-problem-types#"
QUOTA_EXCEEDED = f"{_REGISTERED}quota-exceeded"
REDUCED_CAPACITY = f"{_REGISTERED}temporary-reduced-capacity"
# No quote, which would end the gateway's own.
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[A-Za-z0-9.:-]+")
INVALID_API_KEY = "urn:tidegate:problem:invalid-api-key"


@dataclass(frozen=True)
class EdgeProblem:
    """One of API Gateway's responses and the problem it becomes; `retry_after_s` None sends no Retry-After."""

    response: apigateway.ResponseType
    status: int
    title: str
    detail: str
    type: str = "about:blank"
    retry_after_s: int | None = None

    def body(self) -> str:
        """Render the template of the response, in which API Gateway fills in the request's id."""
        members = {
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": "urn:uuid:$context.requestId",
        }
        return json.dumps(members)

    def headers(self) -> dict[str, str]:
        """List the response's headers; API Gateway wants literal values in single quotes."""
        headers = {"Content-Type": "'application/problem+json'"}
        if self.retry_after_s is not None:
            headers["Retry-After"] = f"'{self.retry_after_s}'"
        return headers


def _unavailable(response: apigateway.ResponseType) -> EdgeProblem:
    # A throttled function reaches the client as one of these, and so does one that crashed or is too slow.
    return EdgeProblem(
        response,
        503,
        "Temporarily reduced capacity",
        "The API can't answer this request now.",
        REDUCED_CAPACITY,
        retry_after_s=2,
    )


_types = apigateway.ResponseType
# Every type by its name: one that is left to a default keeps a status of its own, and the body would name another.
EDGE_PROBLEMS: tuple[EdgeProblem, ...] = (
    EdgeProblem(
        _types.THROTTLED,
        429,
        "Quota exceeded",
        "The rate of this API key, or of this method, is used up.",
        QUOTA_EXCEEDED,
        retry_after_s=1,
    ),
    EdgeProblem(
        _types.QUOTA_EXCEEDED,
        429,
        "Quota exceeded",
        "The daily quota of this API key is used up.",
        QUOTA_EXCEEDED,
        # A gateway response can't compute the time until the quota is renewed.
        retry_after_s=3600,
    ),
    EdgeProblem(
        _types.INVALID_API_KEY,
        403,
        "Invalid API key",
        "Send a valid API key in the x-api-key header.",
        INVALID_API_KEY,
    ),
    EdgeProblem(_types.ACCESS_DENIED, 403, "Forbidden", "This caller may not make this request."),
    EdgeProblem(_types.EXPIRED_TOKEN, 403, "Forbidden", "The credentials of this request have expired."),
    EdgeProblem(_types.INVALID_SIGNATURE, 403, "Forbidden", "The signature of this request is not valid."),
    EdgeProblem(_types.WAF_FILTERED, 403, "Forbidden", "The firewall has blocked this request."),
    EdgeProblem(_types.UNAUTHORIZED, 401, "Unauthorized", "Credentials are missing or not valid."),
    # API Gateway's name for a path or a method that the API doesn't have.
    EdgeProblem(_types.MISSING_AUTHENTICATION_TOKEN, 404, "Not Found", "There is no such resource."),
    EdgeProblem(_types.RESOURCE_NOT_FOUND, 404, "Not Found", "There is no such resource."),
    EdgeProblem(_types.BAD_REQUEST_BODY, 400, "Bad Request", "The body of this request is not valid."),
    EdgeProblem(_types.BAD_REQUEST_PARAMETERS, 400, "Bad Request", "A required parameter is missing."),
    EdgeProblem(_types.REQUEST_TOO_LARGE, 413, "Content Too Large", "The body may have up to 10 MB."),
    EdgeProblem(_types.UNSUPPORTED_MEDIA_TYPE, 415, "Unsupported Media Type", "The Content-Type is not supported."),
    EdgeProblem(_types.DEFAULT_4_XX, 400, "Bad Request", "This request is not valid."),
    _unavailable(_types.INTEGRATION_FAILURE),
    _unavailable(_types.INTEGRATION_TIMEOUT),
    _unavailable(_types.API_CONFIGURATION_ERROR),
    _unavailable(_types.AUTHORIZER_CONFIGURATION_ERROR),
    _unavailable(_types.AUTHORIZER_FAILURE),
    _unavailable(_types.DEFAULT_5_XX),
)


class GatewayProblems(Construct):
    """These answers for a REST API, as a part of its deployment; pages of other `origins` may read them.

    Such an answer can't name the origin that asks. None tells anybody's secret, so with several they are for all.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, api: apigateway.RestApi, origins: Sequence[str] = ()
    ) -> None:
        super().__init__(scope, construct_id)
        if isinstance(origins, str):
            raise SettingError(f"origins is {origins!r}: write a list, such as [{origins!r}]")
        if wrong := [origin for origin in origins if not matches(_ORIGIN, origin)]:
            raise SettingError(f"origins has {wrong[0]!r}: write what a browser sends, such as https://www.example.com")
        readable = {}
        if origins:
            origin = origins[0] if len(origins) == 1 else "*"
            readable = {"Access-Control-Allow-Origin": f"'{origin}'", "Access-Control-Expose-Headers": "'Retry-After'"}
        for problem in EDGE_PROBLEMS:
            api.add_gateway_response(
                problem.response.response_type,
                type=problem.response,
                status_code=str(problem.status),
                response_headers={**problem.headers(), **readable},
                # API Gateway takes no other key here, whatever the body is.
                templates={"application/json": problem.body()},
            )
