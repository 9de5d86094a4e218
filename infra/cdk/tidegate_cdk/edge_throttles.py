"""The edge's tiers: a usage plan with a throttle and a quota for each, and an API key in it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import jsii
from aws_cdk import aws_apigateway as apigateway
from constructs import Construct, IValidation

from tidegate_cdk.setting_error import SettingError

# Letters and digits make the names of a tier's resources.
_TIER = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class TierError(ValueError):
    """It is no tier's name, or two tiers' resources would have the same."""


@dataclass(frozen=True)
class Throttle:
    """A token bucket of API Gateway's: best effort, a target rather than a ceiling."""

    rate_per_s: float
    burst: int

    def __post_init__(self) -> None:
        """Refuse less than nothing."""
        if self.rate_per_s < 0 or self.burst < 0:
            raise SettingError(f"a throttle of {self.rate_per_s} a second and {self.burst} at once: write 0 or more")


@dataclass(frozen=True)
class Plan:
    """What an API key of a tier may ask for; `quota_per_day` None is without end."""

    throttle: Throttle
    quota_per_day: int | None = None

    def __post_init__(self) -> None:
        """Refuse a quota of nothing, which CDK leaves out of the template: it would be without end."""
        if self.quota_per_day is not None and self.quota_per_day < 1:
            raise ValueError(f"quota_per_day is {self.quota_per_day}: write 1 or more, or None")


class EdgeThrottles(Construct):
    """A usage plan and an API key for each tier of a REST API; they hold for methods with `api_key_required=True`.

    API Gateway makes the keys' values: `aws apigateway get-api-key --api-key ID --include-value` shows one. The
    synthesis fails if no method asks for a key, since the plans would hold for nobody.

    Attributes:
        keys: the API keys by their tiers; `key_id` is the id.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, api: apigateway.RestApi, plans: Mapping[str, Plan]
    ) -> None:
        """Make them.

        Args:
            scope: where it is made.
            construct_id: its name there.
            api: the API, whose deployed stage the plans are of.
            plans: what each tier may ask for, by the tier's name, such as gold-plus.

        Raises:
            TierError: a name isn't of lower-case letters and digits in words that are joined by single hyphens, or two
                are alike without those.
        """
        super().__init__(scope, construct_id)
        check(plans)
        if getattr(api, "latest_deployment", None) is None or not hasattr(api, "methods"):
            raise SettingError(
                f"{api.node.path} deploys no stage here that a plan could be of: write a RestApi of this app's with "
                "deploy=True"
            )
        self._api = api
        self.keys: Mapping[str, apigateway.IApiKey] = MappingProxyType(
            {tier: self._key(tier, plan) for tier, plan in plans.items()}
        )
        if plans:
            self.node.add_validation(_SomeMethodAsksForKeys(api))

    def _key(self, tier: str, plan: Plan) -> apigateway.IApiKey:
        # They are the API's children: keys that clients have outlive a move into this construct.
        name = f"{self._api.rest_api_name}-{tier}"
        usage = self._api.add_usage_plan(
            f"{named(tier)}Plan",
            name=name,
            throttle=_throttle(plan.throttle),
            quota=_quota(plan.quota_per_day),
            api_stages=[apigateway.UsagePlanPerApiStage(stage=self._api.deployment_stage)],
        )
        key = self._api.add_api_key(f"{named(tier)}Key", api_key_name=name)
        usage.add_api_key(key)
        return key


@jsii.implements(IValidation)
class _SomeMethodAsksForKeys:
    """Methods may be made after the plans, so that they are looked at when all is made."""

    def __init__(self, api: apigateway.RestApi) -> None:
        self._api = api

    def validate(self) -> list[str]:
        """Say what is wrong, in a sentence; nothing if there is nothing."""
        made = [method.node.default_child for method in self._api.methods]
        if any(isinstance(method, apigateway.CfnMethod) and method.api_key_required for method in made):
            return []
        return [
            f"no method of {self._api.node.path} asks for an API key: write api_key_required=True on those of plans"
        ]


def check(tiers: Iterable[str]) -> None:
    """Refuse names of tiers whose resources wouldn't be told apart; raises TierError."""
    tiers = list(tiers)
    wrong = [tier for tier in tiers if not _TIER.fullmatch(tier)]
    alike = len({tier.replace("-", "") for tier in tiers}) < len(tiers)
    if wrong or alike:
        raise TierError(
            f"the plans are {', '.join(tiers)}: write lower-case letters and digits, words joined by single hyphens, "
            "no two alike without them, such as gold-plus"
        )


def named(tier: str) -> str:
    """Return a tier's name in its resources."""
    return "".join(word.title() for word in tier.split("-"))


def _throttle(throttle: Throttle) -> apigateway.ThrottleSettings:
    return apigateway.ThrottleSettings(rate_limit=throttle.rate_per_s, burst_limit=throttle.burst)


def _quota(per_day: int | None) -> apigateway.QuotaSettings | None:
    return apigateway.QuotaSettings(limit=per_day, period=apigateway.Period.DAY) if per_day else None
