"""The edge: a REST API with its throttles, and a usage plan with an API key for each tier."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from tidegate_cdk.api.access_log import AccessLog
from tidegate_cdk.api.authorizer import of_callers
from tidegate_cdk.api.cors import Cors
from tidegate_cdk.api.custom_domain import CustomDomain
from tidegate_cdk.api.edge import Edge
from tidegate_cdk.api.firewall import WebAcl
from tidegate_cdk.api.keeping import Keeping
from tidegate_cdk.api.paths import Paths
from tidegate_cdk.api.preflights import add_preflights
from tidegate_cdk.api.rates import Rates
from tidegate_cdk.edge_throttles import EdgeThrottles, Plan, Throttle
from tidegate_cdk.gateway_problems import GatewayProblems

STAGE_NAME = "api"

PLANS: Mapping[str, Plan] = MappingProxyType(
    {
        "free": Plan(Throttle(rate_per_s=20, burst=60), quota_per_day=10_000),
        "pro": Plan(Throttle(rate_per_s=100, burst=200), quota_per_day=1_000_000),
        "internal": Plan(Throttle(rate_per_s=1000, burst=2000), quota_per_day=None),
    }
)


@dataclass(frozen=True)
class Front:
    """How the edge serves an API: by which name and paths, whom, how often, and what it hands on as bytes.

    `plans` are the tiers; {} asks for keys and makes none, None asks for no key.
    """

    name: str
    paths: Paths = field(default_factory=Paths)
    edge: Edge = field(default_factory=Edge)
    rates: Rates = field(default_factory=Rates)
    plans: Mapping[str, Plan] | None = field(default_factory=lambda: PLANS)
    cors: Cors | None = None
    binary_media_types: tuple[str, ...] = ("*/*",)


class Gateway(Construct):
    """The REST API in front of an alias: the health paths are open, all below the base needs a key of `keys`.

    Attributes:
        api: API Gateway's REST API.
        url: where it is reached.
        keys: the API keys by their tiers.
        domain: its own domain, if it has one.
        rate_per_s: how many requests it lets through in all.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, front: Front, target: lambda_.Alias, keeping: Keeping
    ) -> None:
        super().__init__(scope, construct_id)
        edge, paths = front.edge, front.paths
        self.rate_per_s = front.rates.whole.rate_per_s
        log = AccessLog(self, "AccessLog", keeping=keeping) if edge.access_logs else None
        throttled = front.rates.by_method(paths.open)
        self.api = _rest_api(self, front, throttled, log)
        integration = apigateway.LambdaIntegration(target, scope_permission_to_method=False)
        paths.add_methods(self.api.root, integration, throttled, self._callers(front))
        if front.cors:
            add_preflights(self.api, front.cors)
        GatewayProblems(self, "Problems", api=self.api, origins=front.cors.origins if front.cors else ())
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
        self.keys = EdgeThrottles(self, "Throttles", api=self.api, plans=front.plans or {}).keys

    def _callers(self, front: Front) -> Mapping[str, Any]:
        """Return the options of a method that needs a key, and what else the edge asks of callers."""
        return {"api_key_required": front.plans is not None, **of_callers(self, front.edge)}


def _rest_api(
    scope: Construct, front: Front, throttled: Mapping[str, Throttle], log: AccessLog | None
) -> apigateway.RestApi:
    edge, whole = front.edge, front.rates.whole
    api = apigateway.RestApi(
        scope,
        "Api",
        rest_api_name=front.name,
        endpoint_types=[apigateway.EndpointType.REGIONAL],
        binary_media_types=list(front.binary_media_types) or None,
        cloud_watch_role=False,  # access logs bring the account's role, and nothing else needs it
        disable_execute_api_endpoint=True if edge.domain else None,
        deploy_options=apigateway.StageOptions(
            stage_name=STAGE_NAME,
            throttling_rate_limit=whole.rate_per_s,
            throttling_burst_limit=whole.burst,
            tracing_enabled=edge.tracing or None,
            **(log.options if log else {}),
            method_options={
                method: apigateway.MethodDeploymentOptions(
                    throttling_rate_limit=throttle.rate_per_s, throttling_burst_limit=throttle.burst
                )
                for method, throttle in throttled.items()
            },
        ),
    )
    api.node.try_remove_child("Endpoint")  # an output that the stack has under a name of its own
    if front.rates.decoded:
        _decode_method_paths(api, throttled)
    return api


def _decode_method_paths(api: apigateway.RestApi, throttled: Mapping[str, Throttle]) -> None:
    deployed = api.deployment_stage.node.default_child
    if not isinstance(deployed, apigateway.CfnStage):
        raise TypeError(f"the stage's resource is a {type(deployed).__name__}")
    # The first of the settings is the whole stage's.
    for place, method in enumerate(throttled, start=1):
        path, _verb = method.rsplit("/", 1)
        deployed.add_property_override(f"MethodSettings.{place}.ResourcePath", path)
