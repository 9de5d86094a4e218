"""The edge: a REST API with its throttles, and a usage plan with an API key for each tier."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.access_log import AccessLog
from infra.authorizer import of_callers
from infra.custom_domain import CustomDomain
from infra.firewall import WebAcl
from infra.preflights import add_preflights
from infra.stages import VERBS, Stage
from tidegate_cdk.edge_throttles import EdgeThrottles, Throttle
from tidegate_cdk.gateway_problems import GatewayProblems

STAGE_NAME = "api"

_HEALTH = ("/health", "/health/{proxy+}")


class Gateway(Construct):
    """The REST API in front of an alias: `/health` is open, all of `/v1` needs a key of `keys` (by tier).

    `token_check` is the function that says whose a token is, where the stage asks for tokens of an OIDC issuer.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        target: lambda_.Alias,
        token_check: lambda_.Function | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        edge = stage.edge
        log = AccessLog(self, "AccessLog", stage=stage) if edge.access_logs else None
        self.api = _rest_api(self, stage, log)
        integration = apigateway.LambdaIntegration(target, scope_permission_to_method=False)
        _add_methods(self.api.root, integration, _throttles(stage), of_callers(self, edge, token_check))
        if stage.cors:
            add_preflights(self.api, stage.cors)
        GatewayProblems(self, "Problems", api=self.api, origins=stage.cors.origins if stage.cors else ())
        if log:
            self.api.deployment_stage.node.add_dependency(log.account)
        if edge.firewall:
            WebAcl(self, "Firewall", firewall=edge.firewall, stage_arn=self.api.deployment_stage.stage_arn)
        self.domain = (
            CustomDomain(self, "Domain", domain=edge.domain, api=self.api, stage_name=STAGE_NAME)
            if edge.domain
            else None
        )
        self.url = f"https://{edge.domain.name}/" if edge.domain else self.api.url
        self.keys = EdgeThrottles(self, "Throttles", api=self.api, plans=stage.plans).keys


def _rest_api(scope: Construct, stage: Stage, log: AccessLog | None) -> apigateway.RestApi:
    api = apigateway.RestApi(
        scope,
        "Api",
        rest_api_name=f"tidegate-{stage.name}",
        endpoint_types=[apigateway.EndpointType.REGIONAL],
        binary_media_types=list(stage.binary_media_types) or None,
        disable_execute_api_endpoint=True if stage.edge.domain else None,
        deploy_options=apigateway.StageOptions(
            stage_name=STAGE_NAME,
            throttling_rate_limit=stage.throttle.rate_per_s,
            throttling_burst_limit=stage.throttle.burst,
            tracing_enabled=stage.edge.tracing or None,
            **(log.options if log else {}),
            method_options={
                method: apigateway.MethodDeploymentOptions(
                    throttling_rate_limit=throttle.rate_per_s, throttling_burst_limit=throttle.burst
                )
                for method, throttle in _throttles(stage).items()
            },
        ),
    )
    api.node.try_remove_child("Endpoint")  # an output that the stack has under a name of its own
    if stage.decode_method_paths:
        _decode_method_paths(api, stage)
    return api


def _decode_method_paths(api: apigateway.RestApi, stage: Stage) -> None:
    deployed = api.deployment_stage.node.default_child
    if not isinstance(deployed, apigateway.CfnStage):
        raise TypeError(f"the stage's resource is a {type(deployed).__name__}")
    # The first of the settings is the whole stage's.
    for place, method in enumerate(_throttles(stage), start=1):
        path, _verb = method.rsplit("/", 1)
        deployed.add_property_override(f"MethodSettings.{place}.ResourcePath", path)


def _add_methods(
    root: apigateway.IResource,
    integration: apigateway.LambdaIntegration,
    throttled: Mapping[str, Throttle],
    callers: Mapping[str, Any],
) -> None:
    health = root.add_resource("health", default_integration=integration)
    health.add_method("ANY")
    health.add_resource("{proxy+}").add_method("ANY")
    v1 = root.add_resource(
        "v1",
        default_integration=integration,
        default_method_options=apigateway.MethodOptions(api_key_required=True, **callers),
    )
    v1.add_resource("{proxy+}").add_method("ANY")
    for method in throttled:
        path, verb = method.rsplit("/", 1)
        if path not in _HEALTH:
            _add_throttled(root, path, verb)


def _add_throttled(root: apigateway.IResource, path: str, verb: str) -> None:
    """Give a path a method of its own, which alone can have a throttle of its own.

    A path that has any method is no longer the proxy's: whatever else is asked there would be the edge's 404. So it
    has ANY, too, and so have the paths on the way to it.
    """
    resource = root
    for part in path.strip("/").split("/"):
        resource = resource.get_resource(part) or resource.add_resource(part)
        if resource.path != "/v1" and resource.node.try_find_child("ANY") is None:
            resource.add_method("ANY")
    if resource.node.try_find_child(verb) is None:
        resource.add_method(verb)


def _throttles(stage: Stage) -> dict[str, Throttle]:
    """Return all throttles below the stage's, by their paths with the verb; the settings know no ANY."""
    health = {f"{path}/{verb}": stage.health_throttle for path in _HEALTH for verb in VERBS}
    declared = {
        f"{path}/{verb}": throttle
        for method, throttle in stage.method_throttles.items()
        for path, _, given in [method.rpartition("/")]
        for verb in (VERBS if given == "ANY" else [given])
    }
    return {**declared, **{method: throttle for method, throttle in health.items() if method not in declared}}
