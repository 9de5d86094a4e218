"""The edge: a REST API with its throttles, and a usage plan with an API key for each tier."""

from collections.abc import Mapping

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.gateway_responses import add_gateway_responses
from infra.stages import Plan, Stage, Throttle

STAGE_NAME = "api"


class Gateway(Construct):
    """The REST API in front of an alias: `/health` is open, all of `/v1` needs a key of `keys` (by tier)."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, target: lambda_.Alias) -> None:
        super().__init__(scope, construct_id)
        self.api = _rest_api(self, stage)
        integration = apigateway.LambdaIntegration(target, scope_permission_to_method=False)
        _add_methods(self.api.root, integration, stage.method_throttles)
        add_gateway_responses(self.api)
        self.keys = {tier: self._key(tier, plan) for tier, plan in stage.plans.items()}

    def _key(self, tier: str, plan: Plan) -> apigateway.IApiKey:
        usage = self.api.add_usage_plan(
            f"{tier.title()}Plan",
            name=f"{self.api.rest_api_name}-{tier}",
            throttle=_throttle(plan.throttle),
            quota=_quota(plan.quota_per_day),
            api_stages=[apigateway.UsagePlanPerApiStage(stage=self.api.deployment_stage)],
        )
        key = self.api.add_api_key(f"{tier.title()}Key", api_key_name=f"{self.api.rest_api_name}-{tier}")
        usage.add_api_key(key)
        return key


def _rest_api(scope: Construct, stage: Stage) -> apigateway.RestApi:
    api = apigateway.RestApi(
        scope,
        "Api",
        rest_api_name=f"tidegate-{stage.name}",
        endpoint_types=[apigateway.EndpointType.REGIONAL],
        deploy_options=apigateway.StageOptions(
            stage_name=STAGE_NAME,
            throttling_rate_limit=stage.throttle.rate_per_s,
            throttling_burst_limit=stage.throttle.burst,
            method_options={
                method: apigateway.MethodDeploymentOptions(
                    throttling_rate_limit=throttle.rate_per_s, throttling_burst_limit=throttle.burst
                )
                for method, throttle in stage.method_throttles.items()
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
    for place, method in enumerate(stage.method_throttles, start=1):
        path, _verb = method.rsplit("/", 1)
        deployed.add_property_override(f"MethodSettings.{place}.ResourcePath", path)


def _add_methods(
    root: apigateway.IResource, integration: apigateway.LambdaIntegration, throttled: Mapping[str, Throttle]
) -> None:
    health = root.add_resource("health", default_integration=integration)
    health.add_method("ANY")
    health.add_resource("{proxy+}").add_method("ANY")
    v1 = root.add_resource(
        "v1",
        default_integration=integration,
        default_method_options=apigateway.MethodOptions(api_key_required=True),
    )
    v1.add_resource("{proxy+}").add_method("ANY")
    # Only a method of its own can have a throttle of its own.
    for method in throttled:
        path, verb = method.rsplit("/", 1)
        root.resource_for_path(path).add_method(verb)


def _throttle(throttle: Throttle) -> apigateway.ThrottleSettings:
    return apigateway.ThrottleSettings(rate_limit=throttle.rate_per_s, burst_limit=throttle.burst)


def _quota(per_day: int | None) -> apigateway.QuotaSettings | None:
    return apigateway.QuotaSettings(limit=per_day, period=apigateway.Period.DAY) if per_day else None
