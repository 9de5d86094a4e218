"""Who may call, beside having an API key: whoever has a token of an issuer, or whom IAM lets."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from tidegate_cdk.api.edge import Edge

# So long API Gateway takes its word for a token, also for one that expires, or whose key is withdrawn, in the meantime:
# it knows one time for all tokens.
KEPT_S = 60
# What is no token at all is refused before anything runs: three parts in Base64, RFC 7515, section 7.1.
_BEARER = r"^[Bb][Ee][Aa][Rr][Ee][Rr] +[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"


def of_callers(scope: Construct, edge: Edge) -> Mapping[str, Any]:
    """Return the options of a method that only those may call; empty where an API key is enough."""
    if edge.iam:
        return {"authorization_type": apigateway.AuthorizationType.IAM}
    if edge.authorizer:
        checked = apigateway.TokenAuthorizer(
            scope,
            "Tokens",
            handler=edge.authorizer,
            results_cache_ttl=Duration.seconds(KEPT_S),
            validation_regex=_BEARER,
        )
        return {"authorizer": checked, "authorization_type": apigateway.AuthorizationType.CUSTOM}
    if not edge.user_pools:
        return {}
    pools = [
        cognito.UserPool.from_user_pool_arn(scope, f"UserPool{place}", arn)
        for place, arn in enumerate(edge.user_pools, start=1)
    ]
    authorizer = apigateway.CognitoUserPoolsAuthorizer(scope, "Tokens", cognito_user_pools=pools)
    return {"authorizer": authorizer, "authorization_type": apigateway.AuthorizationType.COGNITO}
