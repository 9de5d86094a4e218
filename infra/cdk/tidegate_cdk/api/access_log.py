"""A line of JSON for each request at the edge, refused ones included, with the ids of the application's own line."""

import json
from typing import Any

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from tidegate_cdk.api.keeping import Keeping

# `request_id` and `xray_trace_id` are those of docs/observability.md#the-line; `edge_request_id` is in the `instance`
# of the edge's own problems.
_MEMBERS = {
    "message": "access",
    "timestamp_ms": "$context.requestTimeEpoch",
    "request_id": "$context.integration.requestId",
    "edge_request_id": "$context.requestId",
    "xray_trace_id": "$context.xrayTraceId",
    "method": "$context.httpMethod",
    "route": "$context.resourcePath",
    "status": "$context.status",
    "integration_status": "$context.integration.status",
    "duration_ms": "$context.responseLatency",
    "integration_ms": "$context.integration.latency",
    "bytes": "$context.responseLength",
    "source_ip": "$context.identity.sourceIp",
    "api_key_id": "$context.identity.apiKeyId",
    "refused_as": "$context.error.responseType",
    "firewall": "$context.waf.status",
}
# What API Gateway wants to be let do before it takes a role: the account's groups, which have no names yet.
_ACTIONS = (
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "logs:PutLogEvents",
)


class AccessLog(Construct):
    """The log group, and the role by which API Gateway writes; `account` has to be made before the API's stage.

    The role is the account's, for all of its APIs in a region: it stays when the stack goes, or theirs would go quiet.
    """

    def __init__(self, scope: Construct, construct_id: str, *, keeping: Keeping) -> None:
        super().__init__(scope, construct_id)
        self.group = logs.LogGroup(self, "Group", retention=keeping.logs, removal_policy=keeping.removal)
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"))
        everywhere = Stack.of(self).format_arn(service="logs", resource="*", arn_format=ArnFormat.NO_RESOURCE_NAME)
        policy = iam.Policy(
            self,
            "Writes",
            roles=[role],
            statements=[iam.PolicyStatement(actions=list(_ACTIONS), resources=[everywhere])],
        )
        self.account = apigateway.CfnAccount(self, "Account", cloud_watch_role_arn=role.role_arn)
        self.account.node.add_dependency(policy)
        for stays in (role, policy, self.account):
            stays.apply_removal_policy(RemovalPolicy.RETAIN)

    @property
    def options(self) -> dict[str, Any]:
        """The options of API Gateway's stage that write the lines."""
        return {
            "access_log_destination": apigateway.LogGroupLogDestination(self.group),
            "access_log_format": apigateway.AccessLogFormat.custom(json.dumps(_MEMBERS, separators=(",", ":"))),
        }
