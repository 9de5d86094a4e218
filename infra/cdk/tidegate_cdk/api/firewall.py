"""AWS WAF before the API's stage: a rate for each address, then AWS's managed rules."""

import json

from aws_cdk import Stack
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from tidegate_cdk.api.edge import Firewall
from tidegate_cdk.gateway_problems import QUOTA_EXCEEDED

_WINDOW_S = 60
_RETRY_AFTER_S = 60
_BODY = "TooManyRequests"
# It refuses bodies above 8 KB, and the API takes 10 MB: their size is the application's own affair.
_ONLY_COUNTED = {"AWSManagedRulesCommonRuleSet": ("SizeRestrictions_BODY",)}


class WebAcl(Construct):
    """The rules, or those of a web ACL that exists (its ARN), in force for one stage of API Gateway's (its ARN)."""

    def __init__(self, scope: Construct, construct_id: str, *, firewall: Firewall | str, stage_arn: str) -> None:
        super().__init__(scope, construct_id)
        acl_arn = firewall if isinstance(firewall, str) else self._acl(firewall)
        waf.CfnWebACLAssociation(self, "Association", resource_arn=stage_arn, web_acl_arn=acl_arn)

    def _acl(self, firewall: Firewall) -> str:
        rules = [_per_address(firewall), *[_managed(name, place) for place, name in enumerate(firewall.managed, 1)]]
        acl = waf.CfnWebACL(
            self,
            "Acl",
            scope="REGIONAL",
            default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visible(f"{Stack.of(self).stack_name}-firewall"),
            rules=rules,
            custom_response_bodies={
                _BODY: waf.CfnWebACL.CustomResponseBodyProperty(content_type="APPLICATION_JSON", content=_problem())
            },
        )
        return acl.attr_arn


def _per_address(firewall: Firewall) -> waf.CfnWebACL.RuleProperty:
    """Refuse an address that asks too often, as the edge refuses whoever has no quota left: 429 and Retry-After."""
    refused = waf.CfnWebACL.CustomResponseProperty(
        response_code=429,
        custom_response_body_key=_BODY,
        response_headers=[waf.CfnWebACL.CustomHTTPHeaderProperty(name="Retry-After", value=str(_RETRY_AFTER_S))],
    )
    return waf.CfnWebACL.RuleProperty(
        name="PerAddress",
        priority=0,
        action=waf.CfnWebACL.RuleActionProperty(block=waf.CfnWebACL.BlockActionProperty(custom_response=refused)),
        statement=waf.CfnWebACL.StatementProperty(
            rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP",
                limit=firewall.per_ip_per_s * _WINDOW_S,
                evaluation_window_sec=_WINDOW_S,
            )
        ),
        visibility_config=_visible("PerAddress"),
    )


def _managed(name: str, priority: int) -> waf.CfnWebACL.RuleProperty:
    counted = [
        waf.CfnWebACL.RuleActionOverrideProperty(name=rule, action_to_use=waf.CfnWebACL.RuleActionProperty(count={}))
        for rule in _ONLY_COUNTED.get(name, ())
    ]
    return waf.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
        statement=waf.CfnWebACL.StatementProperty(
            managed_rule_group_statement=waf.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS", name=name, rule_action_overrides=counted or None
            )
        ),
        visibility_config=_visible(name),
    )


def _visible(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
    )


def _problem() -> str:
    detail = "This address sends too many requests."
    return json.dumps({"type": QUOTA_EXCEEDED, "title": "Quota exceeded", "status": 429, "detail": detail})
